/** Addresses and their ranges as the API takes them: IPv4 and IPv6 with a length. */

interface Range { bits: bigint; size: 32 | 128; length: number }

function readV4(text: string): bigint | null {
    const parts = text.split('.');
    if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
        return null;
    return parts.reduce((bits, part) => bits << 8n | BigInt(part), 0n);
}

function readV6(text: string): bigint | null {
    const halves = text.split('::');
    if (halves.length > 2)
        return null;
    const groups = (half: string | undefined) => (half === undefined || half === '' ? [] : half.split(':'));
    const head = groups(halves[0]), tail = groups(halves[1]);
    const missing = 8 - head.length - tail.length;
    if (halves.length === 1 ? missing !== 0 : missing < 1)
        return null;
    const all = [...head, ...Array<string>(missing).fill('0'), ...tail];
    if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group)))
        return null;
    return all.reduce((bits, group) => bits << 16n | BigInt(`0x${group}`), 0n);
}

export function readRange(text: string): Range | null {
    const [address = '', length, ...rest] = text.trim().split('/');
    const v4 = readV4(address), bits = v4 ?? readV6(address), size = v4 === null ? 128 : 32;
    if (bits === null || rest.length !== 0 || (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)))
        return null;
    const wanted = length === undefined ? size : Number(length);
    return wanted > size ? null : { bits, size, length: wanted };
}

/** Bits beyond the length: the API refuses them, since they say something else than the range does. */
export function hasSpareBits(range: Range): boolean {
    return (range.bits & ((1n << BigInt(range.size - range.length)) - 1n)) !== 0n;
}

/** The first of the ranges that holds the address; null: none does, and undefined: it is no address. */
export function rangeOf(address: string, ranges: string[]): string | null | undefined {
    const at = readRange(address);
    if (at === null || at.length !== at.size)
        return undefined;
    return ranges.find((text) => {
        const range = readRange(text);
        return range !== null && range.size === at.size && range.bits >> BigInt(range.size - range.length) === at.bits >> BigInt(range.size - range.length);
    }) ?? null;
}
