// @ts-check
/** Numbers that misbehave: by the last ten digits, so that there are some in every country. README.md lists them. */

/**
 * @typedef {'right'|'none'|'cut'|'nack'|'bare'|'twice'|'stray'|'torn'} Answer how a submit is answered: not at all, by a cut link, by generic_nack, without a
 *   body, twice, first with a number that was never asked, or by half an answer and a cut
 * @typedef {object} Effect What is unlike usual for one submit.
 * @property {number} [status] refused with it
 * @property {Answer} [answer]
 * @property {boolean} [lost] not accepted, whatever is answered
 * @property {number} [latency_ms]
 * @property {import('./types.js').Receipt[]} [receipts] in place of one that says it was delivered
 * @property {import('./types.js').Settings['receipt_when']} [when]
 */

/** @param {string} stat @param {string} err @param {Partial<import('./types.js').Receipt>} [more] @returns {import('./types.js').Receipt} */
export const receipt = (stat, err = '000', more = {}) => ({ stat, err, after_ms: 0, ...more });

/** The last five digits of 5550 3 NNNNN. @type {Record<string, {says: string, effect: Effect}>} */
export const BEHAVIOURS = {
    '00001': { says: 'accepted, no receipt', effect: { when: 'never' } },
    '00002': { says: 'each receipt twice', effect: { when: 'twice' } },
    '00003': { says: 'the receipt comes before the answer', effect: { when: 'early' } },
    '00004': { says: 'the receipt comes 5 s late', effect: { receipts: [receipt('DELIVRD', '000', { after_ms: 5000 })] } },
    '00005': { says: 'accepted, and no answer comes', effect: { answer: 'none' } },
    '00006': { says: 'not accepted, and no answer comes', effect: { answer: 'none', lost: true } },
    '00007': { says: 'link cut, not accepted', effect: { answer: 'cut', lost: true } },
    '00008': { says: 'accepted, then the link is cut', effect: { answer: 'cut' } },
    '00009': { says: 'answered after 3 s', effect: { latency_ms: 3000 } },
    '00010': { says: 'EXPIRED', effect: { receipts: [receipt('EXPIRED', '062')] } },
    '00011': { says: 'DELETED', effect: { receipts: [receipt('DELETED', '000')] } },
    '00012': { says: 'REJECTD', effect: { receipts: [receipt('REJECTD', '011')] } },
    '00013': { says: 'UNKNOWN', effect: { receipts: [receipt('UNKNOWN', '005')] } },
    '00014': { says: 'ENROUTE, ACCEPTD, then DELIVRD', effect: { receipts: [receipt('ENROUTE', '000', { intermediate: true }), receipt('ACCEPTD'), receipt('DELIVRD')] } },
    '00015': { says: 'UNDELIV, then DELIVRD', effect: { receipts: [receipt('UNDELIV', '060'), receipt('DELIVRD')] } },
    '00016': { says: 'DELIVRD, then UNDELIV', effect: { receipts: [receipt('DELIVRD'), receipt('UNDELIV', '060')] } },
    '00017': { says: 'answered by generic_nack, not accepted', effect: { answer: 'nack', lost: true } },
    '00018': { says: 'accepted, the answer has no body and so no id', effect: { answer: 'bare' } },
    '00019': { says: 'answered twice', effect: { answer: 'twice' } },
    '00020': { says: 'an answer to nothing comes first', effect: { answer: 'stray' } },
    '00021': { says: 'ACCEPTD, and nothing after it', effect: { receipts: [receipt('ACCEPTD')] } },
    '00022': { says: 'a receipt that names no id', effect: { receipts: [receipt('DELIVRD', '000', { nameless: true })] } },
    '00023': { says: 'accepted, then half an answer and a cut', effect: { answer: 'torn' } },
    '00024': { says: 'a receipt for an id that was never given', effect: { receipts: [receipt('DELIVRD', '000', { stranger: '4294967295' })] } },
};

/** How often a number of 5550 4 was refused. @typedef {Map<string, number>} Refused */

/** @param {string} person digits @param {Refused} refused @returns {Effect} */
export function magicOf(person, refused) {
    const found = /5550([1-4])([0-9]{5})$/.exec(person);
    if (found === null)
        return {};
    const [, kind, digits] = found;
    const code = Number(digits);
    if (kind === '1')
        return { receipts: [receipt(code >= 600 && code < 700 ? 'REJECTD' : 'UNDELIV', String(code).padStart(3, '0'))] };
    if (kind === '2')
        return { status: code };
    if (kind === '3')
        return BEHAVIOURS[digits]?.effect ?? {};
    const times = (refused.get(person) ?? 0) + 1;
    refused.set(person, times);
    return times <= 2 ? { status: code } : {};
}
