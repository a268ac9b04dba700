/** Bytes into a file of the person's. */
export function saveAs(parts: BlobPart[], type: string, filename: string): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob(parts, { type }));
    link.download = filename;
    link.click();
    URL.revokeObjectURL(link.href);
}

export interface Lines { parts: Uint8Array<ArrayBuffer>[]; last: string; count: number }

/** All of a stream of lines: the bytes as they came, the last whole line, and how many lines there were. */
export async function readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Lines> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    let tail = '', last = '', count = 0;
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
        parts.push(read.value);
        const lines = (tail + decoder.decode(read.value, { stream: true })).split('\n');
        tail = lines.pop() ?? '';
        count += lines.length;
        last = lines.at(-1) ?? last;
    }
    return { parts, last: tail === '' ? last : '', count }; /* what does not end with a line feed was cut */
}

/** What an export's last line says of it, {"end":true,"count":3} or {"end":{"entries":3}}; null: the answer was cut before it. */
export function endOf(last: string): { count: number } | null {
    const record = (value: unknown) => (typeof value === 'object' && value !== null ? value as Record<string, unknown> : null);
    try {
        const line = record(JSON.parse(last)) ?? {};
        const count = line['end'] === true ? line['count'] : record(line['end'])?.['entries'];
        return typeof count === 'number' ? { count } : null;
    } catch {
        return null;
    }
}
