export const senderKinds = ['alphanumeric', 'number', 'short-code'] as const;
export type SenderKind = (typeof senderKinds)[number];

const shapes: Record<SenderKind, RegExp> = { alphanumeric: /^[A-Za-z0-9 ._&-]{1,11}$/, number: /^[0-9]{7,15}$/, 'short-code': /^[0-9]{3,8}$/ };

export function isSender(kind: SenderKind, sender: string): boolean {
    return shapes[kind].test(sender);
}
