#!/usr/bin/env node
import { runProgram } from '../client/cli/program.ts';
import { VERBS } from './verbs.ts';

process.exitCode = await runProgram(process.argv.slice(2), VERBS);
