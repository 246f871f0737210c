import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import descriptor, {
  type IDescriptorProto,
  type IFileDescriptorProto,
} from 'protobufjs/ext/descriptor/index.js';
import { schema } from '../../wire/schema.ts';

const { FileDescriptorProto } = descriptor;

/**
 * What reflection shows: our own schema and the one of the health service. protobufjs leaves out of its descriptors
 * what strict clients insist on (which fields are `optional`, how the entries of a map are called), so that is added.
 */
export function reflected(): PackageDefinition {
  const health = loadSync(protoPath, { keepCase: true });
  const files = [schema, health].flatMap(filesOf);
  return { files: { fileDescriptorProtos: files.map(whole) } } as unknown as PackageDefinition;
}

/** Each type of a package holds all files of the package. */
function filesOf(definitions: PackageDefinition): readonly Buffer[] {
  for (const definition of Object.values(definitions)) {
    if (Array.isArray(definition.fileDescriptorProtos)) return definition.fileDescriptorProtos as Buffer[];
  }
  return [];
}

function whole(bytes: Buffer): Buffer {
  const file = FileDescriptorProto.decode(bytes) as IFileDescriptorProto;
  for (const message of file.messageType ?? []) mend(message);
  return Buffer.from(FileDescriptorProto.encode(file).finish());
}

function mend(message: IDescriptorProto): void {
  for (const field of message.field ?? []) {
    const oneof = Object.hasOwn(field, 'oneofIndex') ? message.oneofDecl?.[field.oneofIndex ?? 0] : undefined;
    // An optional field is in a oneof of its own, which the compiler names so.
    if (oneof?.name === `_${field.name}`) Object.assign(field, { proto3Optional: true });
    const entry = message.nestedType?.find(
      nested => nested.options?.mapEntry && nested.name === field.typeName,
    );
    if (entry !== undefined && field.name !== undefined) {
      const name = field.name.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase());
      entry.name = `${name}Entry`;
      field.typeName = entry.name;
    }
  }
  for (const nested of message.nestedType ?? []) mend(nested);
}
