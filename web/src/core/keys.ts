/** Keys that people gave to commands, in place of those that commands come with. */

export interface Bindable {
  readonly id: string;
  readonly keys: readonly string[];
}

/** The keys of commands that have others than their own, by id. */
export type Custom = Readonly<Record<string, readonly string[]>>;

export function keysOf(command: Bindable, custom: Custom): readonly string[] {
  return custom[command.id] ?? command.keys;
}

/** Which command each key is for. */
export function byKey<C extends Bindable>(commands: readonly C[], custom: Custom): ReadonlyMap<string, C> {
  return new Map(commands.flatMap((c) => keysOf(c, custom).map((key) => [key, c] as const)));
}

/** Give a key to a command. Whatever had it loses it. */
export function rebound(commands: readonly Bindable[], custom: Custom, id: string, key: string): Custom {
  const made: Record<string, readonly string[]> = {};
  for (const command of commands) {
    const now = keysOf(command, custom);
    const next = command.id === id ? [key] : now.filter((k) => k !== key);
    if (next.join(" ") !== command.keys.join(" ")) made[command.id] = next;
  }
  return made;
}

/** The keys with those of one command as they were; what they were given to meanwhile loses them. */
export function restored(commands: readonly Bindable[], custom: Custom, id: string): Custom {
  const own = commands.find((c) => c.id === id)?.keys ?? [];
  const made: Record<string, readonly string[]> = {};
  for (const command of commands) {
    if (command.id === id) continue;
    const next = keysOf(command, custom).filter((k) => !own.includes(k));
    if (next.join(" ") !== command.keys.join(" ")) made[command.id] = next;
  }
  return made;
}

/** Keys that walk, type, confirm and leave: they are no command's to take. */
export function isFree(key: string): boolean {
  return !/^(Shift\+)?(Arrow\w+|Tab|Enter|Escape|Space|Backspace|Home|End|Unidentified|Dead|Process)$/.test(key);
}

export function isModifier(key: string): boolean {
  return /^(Control|Shift|Alt|Meta|AltGraph|CapsLock|Fn)$/.test(key);
}
