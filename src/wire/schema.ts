import { fileURLToPath } from 'node:url';
import { loadSync, type MethodDefinition, type PackageDefinition } from '@grpc/proto-loader';

const PACKAGE = 'raftline.v1';

const path = fileURLToPath(new URL('../../../proto/raftline.proto', import.meta.url));

/** The package of `proto/raftline.proto`, read when this module is loaded: only by whoever speaks gRPC. */
export const schema: PackageDefinition = loadSync(path, {
  keepCase: true,
  longs: Number,
  enums: String,
  oneofs: true,
});

/** How a field of a message stands in JSON. */
export interface SchemaField {
  readonly name: string;
  /** Its name in JSON: `prevIndex` for `prev_index`. */
  readonly key: string;
  readonly number: number;
  readonly type: 'string' | 'bytes' | 'number' | 'boolean' | 'enum' | 'message';
  readonly isRepeated: boolean;
  /** Whether it can be told from one that has its type's zero. */
  readonly isOptional: boolean;
  /** Of an enum: what stands before the names of its values, as `READ_`. */
  readonly enumPrefix: string;
  /** Of a message. */
  readonly shape: Shape | undefined;
}

/** A message type as its descriptor has it. */
export interface Shape {
  readonly name: string;
  readonly fields: readonly SchemaField[];
  readonly byKey: ReadonlyMap<string, SchemaField>;
  readonly byNumber: ReadonlyMap<number, SchemaField>;
  /** Where the message is one of several: the name in JSON of the field that says which, as `op` or `type`. */
  readonly choice: string | undefined;
  /** The several, by what that field says, as `transfer-leader`. */
  readonly variants: ReadonlyMap<string, SchemaField>;
}

/** What of a descriptor (google/protobuf/descriptor.proto) is used here. */
interface Descriptor {
  readonly field: readonly {
    readonly name: string;
    readonly number: number;
    readonly label: string;
    readonly type: string;
    readonly typeName: string;
    /** Set where it is in a oneof; a field that is `optional` is in one of its own, which begins with `_`. */
    readonly options: object | null;
    readonly oneofIndex: number;
  }[];
  readonly oneofDecl: readonly { readonly name: string }[];
}

const TYPES: Readonly<Record<string, SchemaField['type']>> = {
  TYPE_STRING: 'string',
  TYPE_BYTES: 'bytes',
  TYPE_INT64: 'number',
  TYPE_DOUBLE: 'number',
  TYPE_BOOL: 'boolean',
  TYPE_ENUM: 'enum',
  TYPE_MESSAGE: 'message',
};

const shapes = new Map<string, Shape>();

/** The shape of a message of the package, by its short name. */
export function shapeOf(name: string): Shape {
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const definition = schema[`${PACKAGE}.${name}`];
  if (definition === undefined || !('type' in definition)) throw new Error(`there is no message ${name}`);
  const { field, oneofDecl } = definition.type as Descriptor;
  const choice = oneofDecl.find(oneof => !oneof.name.startsWith('_'))?.name;
  const optional = new Set(oneofDecl.map(oneof => oneof.name));
  const fields = field.map(({ name: own, number, label, type, typeName }): SchemaField => {
    const kind = TYPES[type];
    if (kind === undefined)
      throw new Error(`${name}.${own} has the type ${type}, which has no place in JSON`);
    return {
      name: own,
      key: own.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
      number,
      type: kind,
      isRepeated: label === 'LABEL_REPEATED',
      isOptional: optional.has(`_${own}`),
      enumPrefix: kind === 'enum' ? `${typeName.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}_` : '',
      shape: kind === 'message' ? shapeOf(typeName) : undefined,
    };
  });
  const shape: Shape = {
    name,
    fields,
    byKey: new Map(fields.map(each => [each.key, each])),
    byNumber: new Map(fields.map(each => [each.number, each])),
    choice,
    variants: new Map(
      choice === undefined ? [] : fields.map(each => [each.name.replaceAll('_', '-'), each] as const),
    ),
  };
  shapes.set(name, shape);
  return shape;
}

/** A method of a service, and the operation that it stands for. */
export interface Method {
  /** The operation's name on lines. */
  readonly op: string;
  readonly service: string;
  readonly name: string;
  /** What a line has beside the fields of the request. */
  readonly fixed: Readonly<Record<string, unknown>>;
  readonly definition: MethodDefinition<object, object>;
  readonly request: Shape;
  readonly reply: Shape;
}

/** The services for clients. */
export const CLIENT_SERVICES = [`${PACKAGE}.Kv`, `${PACKAGE}.Cluster`] as const;
export const RAFT_SERVICE = `${PACKAGE}.Raft`;

export function serviceOf(name: string): Readonly<Record<string, MethodDefinition<object, object>>> {
  const definition = schema[name];
  if (definition === undefined) throw new Error(`there is no service ${name}`);
  return definition as Readonly<Record<string, MethodDefinition<object, object>>>;
}

/** Every method for clients. `watch` alone has two: a line says with a field what here are two types of answers. */
export const METHODS: readonly Method[] = CLIENT_SERVICES.flatMap(service =>
  Object.entries(serviceOf(service)).map(([name, definition]): Method => {
    const words = name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
    const isOfCluster = words === 'watch-cluster';
    const typeName = (type: object) => (type as { name: string }).name;
    return {
      op: isOfCluster ? 'watch' : words,
      service,
      name,
      fixed: isOfCluster ? { cluster: true } : {},
      definition,
      request: shapeOf(typeName(definition.requestType.type)),
      reply: shapeOf(typeName(definition.responseType.type)),
    };
  }),
);
