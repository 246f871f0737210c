import { expect } from 'chai';
import { CONDITION_FIELDS } from '../../src/wire/fields.ts';
import { KEY_OPS } from '../../src/wire/key-ops.ts';
import { LIMITS } from '../../src/wire/limits.ts';
import { COMMON_FIELDS, OPS, type Op } from '../../src/wire/ops.ts';
import { METHODS, type Method, type Shape, shapeOf } from '../../src/wire/schema.ts';

/** Operations that gRPC itself is: the end of the call of a watch, and the end of the channel. */
const OPS_OF_GRPC = ['unwatch', 'quit'];

const fieldsOf = ({ fields }: Shape): string[] => fields.map(field => field.key);

describe('the two transports', () => {
  it('have the same operations', () => {
    const onLines = Object.keys(OPS).filter(op => !OPS_OF_GRPC.includes(op));
    const inSchema = new Set(METHODS.map(method => method.op));
    expect([...inSchema].sort()).to.deep.equal(onLines.sort());
  });

  const built = METHODS.filter(({ op }) => Object.hasOwn(OPS, op));
  for (const { op, service, name, request, fixed } of built) {
    it(`have the same fields for ${op}, which is ${service}.${name}`, () => {
      const { required, optional }: Op = OPS[op as keyof typeof OPS];
      const names = Object.keys({ ...required, ...optional, ...COMMON_FIELDS });
      // What a method of its own says needs no field there, and what is of the other method has none here.
      const others = METHODS.filter(method => method.op === op && method.name !== name);
      const elsewhere = others.flatMap(method => Object.keys(method.fixed));
      const shared = others.length === 0 ? names : names.filter(field => fieldsOf(request).includes(field));
      const wanted = shared.filter(field => !Object.hasOwn(fixed, field) && !elsewhere.includes(field));
      expect(fieldsOf(request).sort()).to.deep.equal(wanted.sort());
    });
  }

  const parts: [what: string, names: readonly string[], shape: string][] = [
    ['a condition', CONDITION_FIELDS, 'Condition'],
    ['the limits', Object.keys(LIMITS), 'Limits'],
    ...Object.entries(KEY_OPS).map(([op, { required, optional }]): [string, string[], string] => [
      `${op} in a transaction`,
      Object.keys({ ...required, ...optional }),
      `${op.slice(0, 1).toUpperCase()}${op.slice(1)}Step`,
    ]),
  ];
  for (const [what, names, shape] of parts) {
    it(`have the same fields for ${what}`, () => {
      expect(fieldsOf(shapeOf(shape)).sort()).to.deep.equal([...names].sort());
    });
  }

  it('have the same operations in a transaction', () => {
    expect([...shapeOf('TxnOp').variants.keys()].sort()).to.deep.equal(Object.keys(KEY_OPS).sort());
  });

  it('leave out no field of an operation that has two methods', () => {
    for (const [op, { required, optional }] of Object.entries(OPS) as [string, Op][]) {
      const methods: readonly Method[] = METHODS.filter(method => method.op === op);
      if (methods.length < 2) continue;
      const known = methods.flatMap(method => [...fieldsOf(method.request), ...Object.keys(method.fixed)]);
      expect(known).to.include.members(Object.keys({ ...required, ...optional, ...COMMON_FIELDS }));
    }
  });

  it('forward every operation that the leader answers, and answer it', () => {
    const [requests, replies] = ['AnyRequest', 'AnyReply'].map(name => shapeOf(name).variants);
    expect([...(requests?.keys() ?? [])]).to.deep.equal([...(replies?.keys() ?? [])]);
    for (const [op, field] of requests ?? []) {
      const method = METHODS.find(each => each.op === op);
      expect(field.shape, op).to.equal(method?.request);
      expect(replies?.get(op)?.shape, op).to.equal(method?.reply);
    }
  });

  it('say of every number of a request whether it was given', () => {
    for (const { request } of METHODS) {
      for (const field of request.fields) {
        expect(field.isOptional || field.isRepeated, `${request.name}.${field.name}`).to.equal(true);
      }
    }
  });
});
