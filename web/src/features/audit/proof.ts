/** Whether an entry is in the tree that its checkpoint has signed: RFC 9162, 2.1.3.2, in this browser and not by the server's word. */

function fromHex(text: string): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function toHex(bytes: Uint8Array): string {
    return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function hash(...parts: Uint8Array[]): Promise<Uint8Array> {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        whole.set(part, at);
        at += part.length;
    }
    return new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
}

export async function isProved(place: number, line: string, path: string[], size: number, root: string): Promise<boolean> {
    if (place >= size)
        return false;
    let fn = place, sn = size - 1;
    let r = await hash(Uint8Array.of(0), new TextEncoder().encode(line));
    for (const text of path) {
        const p = fromHex(text);
        if (sn === 0)
            return false;
        if (fn % 2 === 1 || fn === sn) {
            r = await hash(Uint8Array.of(1), p, r);
            while (fn % 2 === 0 && fn !== 0) {
                fn = Math.floor(fn / 2);
                sn = Math.floor(sn / 2);
            }
        } else {
            r = await hash(Uint8Array.of(1), r, p);
        }
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
    }
    return sn === 0 && toHex(r) === root;
}
