function record(value: unknown): Record<string, unknown> | null {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : null;
}

function first(...values: unknown[]): string | null {
    for (const value of values)
        if (typeof value === 'string' && value !== '')
            return value;
    return null;
}

/** The words of a message of any kind: its text, its caption, what was chosen, or a template's name; null without any. */
export function bodyOf(content: Record<string, unknown>): string | null {
    const type = typeof content['type'] === 'string' ? content['type'] : '';
    const part = record(content[type]);
    if (part === null)
        return null;
    const inner = record(part['body']), reply = record(part['button_reply']) ?? record(part['list_reply']);
    return first(part['body'], inner?.['text'], part['caption'], part['text'], reply?.['title'], part['emoji'], part['filename'], part['name']);
}
