import { STAGES } from '../stages/stages.ts';
import { tellParent } from './child.ts';

/** A node of the stage that the command line names, alone, on a port that the system chooses. */
const stage = STAGES.find(({ number }) => number === Number(process.argv[2]));
if (stage === undefined) throw new Error(`there is no stage ${process.argv[2]}`);
const { start } = await stage.load();
const node = await start({ id: 'n1', listen: { host: '127.0.0.1', port: 0 } });
tellParent(node.address);
