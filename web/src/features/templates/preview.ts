export interface Part { type: string; text?: string; format?: string; example?: Record<string, unknown>; buttons?: { text?: string; type?: string }[] }

/** The variables of a text, in the order in which they come: {{1}}, {{name}}. */
export function variablesOf(text: string): string[] {
    return [...new Set([...text.matchAll(/\{\{\s*([a-z0-9_]+)\s*\}\}/gi)].map((match) => match[1] ?? ''))];
}

/** With samples in place of variables; what has no sample stays as it is. */
export function filledIn(text: string, samples: Record<string, string>): string {
    return text.replace(/\{\{\s*([a-z0-9_]+)\s*\}\}/gi, (whole, name: string) => (samples[name] === undefined || samples[name] === '' ? whole : samples[name]));
}

/** The parts of a template's definition that can be shown, in the order of the handset. */
export function partsOf(components: unknown): Part[] {
    const order = ['HEADER', 'BODY', 'FOOTER', 'BUTTONS'];
    const known = (Array.isArray(components) ? components : []).filter((part): part is Part => typeof part === 'object' && part !== null && typeof (part as Part).type === 'string');
    return order.flatMap((type) => known.filter((part) => part.type.toUpperCase() === type));
}
