/** What the API takes of one file. */
const BYTES_MAX = 2_000_000;

/** A file as text. What is not UTF-8 is not guessed at: a wrong letter in a template costs every message. */
export async function readCsv(file: Blob): Promise<{ csv: string } | { fault: 'encoding' | 'size' | 'empty' }> {
    if (file.size > BYTES_MAX)
        return { fault: 'size' };
    try {
        const csv = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
        return csv.trim() === '' ? { fault: 'empty' } : csv.includes('\0') ? { fault: 'encoding' } : { csv };
    } catch {
        return { fault: 'encoding' };
    }
}
