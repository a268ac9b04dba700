/** GSM 03.38: the 7-bit alphabet, and what it has as two. */
const basic = '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const extended = '\f^{}\\[~]|€';
const plain = new Set(basic + extended);

/** Characters that the 7-bit alphabet does not have, each once, in the order in which they come. */
export function unicodeIn(text: string): string[] {
    return [...new Set(text)].filter((character) => !plain.has(character));
}

export function codePoint(character: string): string {
    return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

export interface Runs { text: string; isUnicode: boolean }

/** The text in pieces, so that what is outside of the alphabet can be marked. */
export function runsOf(text: string): Runs[] {
    const runs: Runs[] = [];
    for (const character of text) {
        const isUnicode = !plain.has(character), last = runs.at(-1);
        if (last?.isUnicode === isUnicode)
            last.text += character;
        else
            runs.push({ text: character, isUnicode });
    }
    return runs;
}
