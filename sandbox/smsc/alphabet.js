// @ts-check
/** What octets mean by their data_coding, and how a phone's text becomes octets (3GPP TS 23.038, 23.040). */

const BASIC = '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const EXTENDED = new Map([[0x0A, '\f'], [0x14, '^'], [0x28, '{'], [0x29, '}'], [0x2F, '\\'], [0x3C, '['], [0x3D, '~'], [0x3E, ']'], [0x40, '|'], [0x65, '€']]);
const SEPTETS = new Map(/** @type {[string, number[]][]} */ ([...[...BASIC].map((letter, code) => [letter, [code]]), ...[...EXTENDED].map(([code, letter]) => [letter, [0x1B, code]])]));

/** @param {Buffer} octets one septet in each */
export function readGsm(octets) {
    let text = '';
    for (let i = 0; i < octets.length; i++)
        if (octets[i] === 0x1B && i + 1 < octets.length)
            text += EXTENDED.get(octets[++i]) ?? BASIC[octets[i] & 0x7F];
        else
            text += octets[i] === 0x1B ? ' ' : octets[i] > 0x7F ? '\uFFFD' : BASIC[octets[i]];
    return text;
}

/** One entry for each letter; null if one has no place in the alphabet. @param {string} text @returns {number[][]|null} */
export function gsmLetters(text) {
    const letters = [...text].map((letter) => (letter === '\x1b' ? undefined : SEPTETS.get(letter)));
    return letters.every((letter) => letter !== undefined) ? /** @type {number[][]} */ (letters) : null;
}

/** @param {Buffer} octets */
export function readUcs2(octets) {
    const even = Buffer.from(octets.subarray(0, octets.length & ~1));
    return even.swap16().toString('utf16le');
}

/** @typedef {'gsm'|'ucs2'|'latin1'|'ascii'|'binary'} Encoding */

/** @param {number} coding data_coding @param {Encoding} standard what 0 means at this operator @returns {Encoding} */
export function encodingOf(coding, standard) {
    if (coding === 0x00 || coding === 0x10)
        return standard;
    if (coding === 0x01)
        return 'ascii';
    if (coding === 0x03)
        return 'latin1';
    if (coding === 0x08 || coding === 0x18)
        return 'ucs2';
    if ((coding & 0xF0) === 0xF0)
        return (coding & 0x04) === 0 ? 'gsm' : 'binary';
    return 'binary';
}

/** @param {Buffer} octets @param {Encoding} encoding @returns {string} */
export function read(octets, encoding) {
    switch (encoding) {
        case 'gsm': return readGsm(octets);
        case 'ucs2': return readUcs2(octets);
        case 'latin1': case 'ascii': return octets.toString('latin1');
        case 'binary': return octets.toString('hex');
    }
}

const ROOM = { gsm: { one: 160, each: 153 }, latin1: { one: 140, each: 134 }, ascii: { one: 140, each: 134 }, ucs2: { one: 70, each: 67 } };

/**
 * A person's text in parts, as a phone would send it: by the operator's standard alphabet if that has every letter, else in UCS-2.
 * @param {string} text @param {Encoding} standard @returns {{encoding: Encoding, coding: number, parts: Buffer[]}}
 */
export function write(text, standard) {
    const plain = standard === 'gsm' ? gsmLetters(text)
        : [...text].every((letter) => (letter.codePointAt(0) ?? 0) < (standard === 'ascii' ? 0x80 : 0x100)) ? [...text].map((letter) => [letter.codePointAt(0) ?? 0]) : null;
    const encoding = plain === null ? 'ucs2' : standard;
    const letters = plain === null ? [...text].map((letter) => [...letter].flatMap((point) => [...Buffer.from(point, 'utf16le').swap16()])) : plain;
    const unit = encoding === 'ucs2' ? 2 : 1;
    const room = ROOM[/** @type {keyof typeof ROOM} */ (encoding)];
    const total = letters.reduce((sum, letter) => sum + letter.length / unit, 0);
    const parts = /** @type {number[][]} */ ([[]]);
    for (const letter of letters) {
        if (total > room.one && parts[parts.length - 1].length + letter.length > room.each * unit)
            parts.push([]);
        parts[parts.length - 1].push(...letter); /* an escape or a pair of surrogates is not cut */
    }
    return { encoding, coding: encoding === 'ucs2' ? 8 : 0, parts: parts.map((part) => Buffer.from(part)) };
}
