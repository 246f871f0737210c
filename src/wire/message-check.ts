import { isUtf8 } from 'node:buffer';
import { refuse } from './errors.ts';
import type { Shape } from './schema.ts';

/**
 * Refuses the bytes of a request that a decoder would repair or skip in silence: text that is not UTF-8 (different
 * bad bytes would become one key), a field that the schema does not know (a condition of a newer client would not be
 * looked at), and what is cut off or is no message at all.
 */
export function checkBytes(shape: Shape, bytes: Buffer): void {
  let at = 0;
  const broken = (): never =>
    refuse('BAD_REQUEST', `the bytes are no ${shape.name}: they break off, or have another type's fields`);
  const varint = (): number => {
    let result = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined) broken();
      at += 1;
      // Beyond 32 bits only the length counts here: no tag and no size is as large.
      if (shift < 35) result += ((byte as number) & 0x7f) * 2 ** shift;
      if ((byte as number) < 0x80) return result;
    }
    return broken();
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const field = shape.byNumber.get(number);
    if (field === undefined) {
      const names = shape.fields.map(each => each.name).join(', ');
      refuse('BAD_REQUEST', `${shape.name} has no field number ${number}: its fields are ${names}`);
    }
    switch (tag % 8) {
      case 0:
        varint();
        break;
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      case 2: {
        const size = varint();
        const content = bytes.subarray(at, at + size);
        at += size;
        if (at > bytes.length) broken();
        if (field.type === 'string' && !isUtf8(content)) {
          refuse('BAD_ENCODING', `"${field.key}" is not UTF-8`, { field: field.key });
        }
        if (field.shape !== undefined) checkBytes(field.shape, content);
        break;
      }
      default:
        broken();
    }
  }
  if (at > bytes.length) broken();
}
