/** What a table has under a name. Names come from people, and `constructor` is one like any other: no object's own name. */
export function entryOf<Item>(table: Readonly<Record<string, Item>>, name: string): Item | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
