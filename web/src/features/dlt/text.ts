/** Places count Unicode code points, as the API does. */
export interface Place { start: number; end: number }
export interface Piece { text: string; /** which value or variable, from 1 on; 0: none */ value: number; isFault: boolean }

/** As the registry compares it: in NFC, a line break as one. */
export function compared(text: string): string {
    return text.normalize('NFC').replaceAll(/\r\n?/g, '\n');
}

const covers = (place: Place, start: number, end: number) => place.start <= start && end <= place.end;

/** A text in pieces, each of them all inside or all outside of every place. A fault without length is an empty piece. */
export function piecesOf(text: string, values: readonly Place[], fault: Place | null): Piece[] {
    const points = Array.from(text);
    const within = (at: number) => Math.min(Math.max(at, 0), points.length);
    const cuts = [...new Set([0, points.length, ...[...values, ...(fault === null ? [] : [fault])].flatMap(({ start, end }) => [within(start), within(end)])])].sort((a, b) => a - b);
    const valueAt = (start: number, end: number) => values.findIndex((value) => value.start < value.end && covers(value, start, end)) + 1;
    const pieces: Piece[] = [];
    for (const [i, start] of cuts.entries()) {
        if (fault !== null && fault.start === fault.end && within(fault.start) === start)
            pieces.push({ text: '', value: 0, isFault: true });
        const end = cuts[i + 1];
        if (end !== undefined)
            pieces.push({ text: points.slice(start, end).join(''), value: valueAt(start, end), isFault: fault !== null && fault.start < fault.end && covers(fault, start, end) });
    }
    return pieces;
}

export const types = ['var', 'numeric', 'alphanumeric', 'url', 'urlott', 'cbn', 'email'] as const;
export type VariableType = (typeof types)[number];
/** How long a value is at most, unless a template says otherwise. */
export const lengths: Record<VariableType, number> = { var: 30, numeric: 30, alphanumeric: 40, url: 50, urlott: 50, cbn: 15, email: 50 };

const tag = /\{#([^#{}]*)#\}/g;

/** Where a template's variables stand. */
export function tagsOf(text: string): Place[] {
    return [...text.matchAll(tag)].map((match) => {
        const start = Array.from(text.slice(0, match.index)).length;
        return { start, end: start + Array.from(match[0]).length };
    });
}

export interface Variable { type: VariableType; max_length: number }

/** What a template's variables are by their tags alone; null: one is none that portals know. */
export function variablesOf(text: string): Variable[] | null {
    const variables = [...text.matchAll(tag)].map((match) => types.find((type) => type === (match[1] === 'number' ? 'numeric' : match[1])));
    return variables.includes(undefined) ? null : variables.map((type) => ({ type: type ?? 'var', max_length: lengths[type ?? 'var'] }));
}

/** What is to be told beside the text: nothing where its tags say it all. */
export function toldBeside(text: string, variables: readonly Variable[]): Variable[] {
    const plain = variablesOf(text) ?? [];
    return plain.some(({ type, max_length }, i) => variables[i] !== undefined && (variables[i].type !== type || variables[i].max_length !== max_length)) ? variables.slice(0, plain.length) : [];
}

/** Blanks and line breaks that can be seen. */
export function visible(text: string): string {
    return text.replaceAll(' ', '␣').replaceAll('\n', '↵\n').replaceAll('\t', '⇥');
}
