import type { ConsentNotice } from '@/api/types';

/** What a notice says besides its text, and its receipts with it. */
export const termNames = ['controller', 'jurisdiction', 'lawful_basis', 'data_categories', 'recipients', 'storage_locations', 'retention', 'withdrawal', 'privacy_rights'] as const;
type Terms = ConsentNotice['terms'];

/** A term as a line of text; of who is responsible, the values of all that is said. */
export function termText(terms: Terms, name: typeof termNames[number]): string {
    const value: unknown = terms[name];
    if (typeof value === 'object' && value !== null)
        return Object.values(value).map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(', ');
    return typeof value === 'string' ? value : '';
}

/** As a request has them: what is empty is not said. */
export function termsOf(texts: Partial<Record<typeof termNames[number], string>>): Terms {
    const said = Object.entries(texts).map(([name, text]) => [name, text.trim()] as const).filter(([, text]) => text !== '');
    return Object.fromEntries(said.map(([name, text]) => [name, name === 'controller' ? { name: text } : text]));
}

export async function sha256Hex(text: string): Promise<string> {
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
    return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
