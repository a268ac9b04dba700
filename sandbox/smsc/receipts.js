// @ts-check
/** Delivery receipts, as operators write them: the text of the standard's Appendix B and what has become of it. */
import { TLV } from './codec.js';

const STATES = /** @type {Record<string, number>} */ ({ ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 });

/** @param {string} stat @returns {number} message_state */
export const stateNumber = (stat) => STATES[stat] ?? 7;

/** @param {string} stat */
export const isFinal = (stat) => !['ENROUTE', 'ACCEPTD', 'BUFFRED'].includes(stat);

/** @param {number} at @param {number} minutes @param {string} shape */
function date(at, minutes, shape) {
    if (shape === 'zero_dates')
        return '0000000000';
    const text = new Date(at + minutes * 60_000).toISOString().replace(/[-T:]/g, '');
    switch (shape) {
        case 'seconds': return text.slice(2, 14);
        case 'long_dates': return text.slice(0, 14);
        case 'long_minutes': return text.slice(0, 12);
        default: return text.slice(2, 12);
    }
}

/** @typedef {{id: string, sub: string, dlvrd: string, submitted: string, done: string, stat: string, err: string, text: string}} Words */

/** @param {Words} w */
const standard = (w) => `id:${w.id} sub:${w.sub} dlvrd:${w.dlvrd} submit date:${w.submitted} done date:${w.done} stat:${w.stat} err:${w.err} text:${w.text}`;

/** What each format makes of the words. @type {Record<string, (words: Words) => string>} */
const WRITERS = {
    standard,
    seconds: standard,
    long_dates: standard,
    long_minutes: standard,
    zero_dates: standard,
    capital_text: (w) => standard(w).replace(' text:', ' Text:'),
    no_text: (w) => standard(w).replace(/ text:.*$/s, ''),
    capitals: (w) => `ID:${w.id} SUB:${w.sub} DLVRD:${w.dlvrd} SUBMIT DATE:${w.submitted} DONE DATE:${w.done} STAT:${w.stat} ERR:${w.err} TEXT:${w.text}`,
    short_counts: (w) => standard({ ...w, sub: '1', dlvrd: String(Number(w.dlvrd)) }),
    no_counts: (w) => standard(w).replace(/ sub:\S* dlvrd:\S*/, ''),
    wrong_count: (w) => standard({ ...w, dlvrd: '001' }),
    vendor: (w) => `id:${w.id} sub:${w.sub} dlvrd:${w.dlvrd} submit date:${w.submitted} done date:${w.done} stat:${w.stat} err:${w.err} IMSI:404450987654321 MSC:919812345000 ORN:${w.id} MCC=404 text:${w.text}`,
    shuffled: (w) => `stat:${w.stat} err:${w.err} done date:${w.done} submit date:${w.submitted} dlvrd:${w.dlvrd} sub:${w.sub} id:${w.id} text:${w.text}`,
    text_first: (w) => `text:${w.text.slice(0, 10)} id:${w.id} stat:${w.stat} err:${w.err} submit date:${w.submitted} done date:${w.done}`,
    hex_err: (w) => standard({ ...w, err: w.err === '000' ? '000' : '21b' }),
    short_err: (w) => standard({ ...w, err: w.err.replace(/^0+(?=.)/, '') }),
    long_err: (w) => standard({ ...w, err: w.err === '000' ? '0000' : '5601' }),
    long_stat: (w) => standard({ ...w, stat: w.stat === 'REJECTD' ? 'DND_REJECTED' : w.stat === 'DELIVRD' ? 'DELIVERED' : w.stat }),
    payload: standard,
    data_sm: standard,
    tlv_only: (w) => `Message ${w.stat === 'DELIVRD' ? 'delivered' : 'not delivered'}`,
    empty_id: (w) => standard({ ...w, id: '' }),
    ascii_error: standard,
    binary_text: (w) => standard({ ...w, text: '\u0000\u0001\u001b\u00ff' }),
};
export const FORMATS = Object.keys(WRITERS);

/** @param {string} id @param {import('./types.js').Settings['receipt_id']} how */
export function writeId(id, how) {
    switch (how) {
        case 'decimal': return /^[0-9a-f]+$/i.test(id) ? BigInt(`0x${id}`).toString() : id;
        case 'hex': return /^[0-9]+$/.test(id) ? BigInt(id).toString(16) : id;
        case 'upper': return id.toUpperCase();
        case 'zeros': return id.padStart(id.length + 4, '0');
        case 'as_given': return id;
    }
}

/**
 * @param {import('./types.js').Piece} piece @param {import('./types.js').Sms} sms @param {import('./types.js').Receipt} receipt
 * @param {(name: keyof import('./types.js').Settings) => any} setting @param {number} now
 * @returns {{name: 'deliver_sm'|'data_sm', fields: Record<string, any>, tlvs: [number, Buffer][]}}
 */
export function writeReceipt(piece, sms, receipt, setting, now) {
    const format = String(setting('receipt_format')), tlvsAre = setting('receipt_tlvs'), isWrong = tlvsAre === 'conflict';
    const id = receipt.stranger ?? (receipt.nameless ? '' : writeId(piece.id, setting('receipt_id')));
    const text = (WRITERS[format] ?? standard)({ id, sub: '001', dlvrd: receipt.stat === 'DELIVRD' ? '001' : '000', submitted: date(piece.at, setting('clock_minutes'), format),
        done: date(now, setting('clock_minutes'), format), stat: isWrong ? (receipt.stat === 'DELIVRD' ? 'UNDELIV' : 'DELIVRD') : receipt.stat, err: receipt.err,
        text: sms.encoding === 'ucs2' ? '' : sms.text.slice(0, 20).replace(/[^\x20-\x7e]/g, '?') });
    const octets = Buffer.from(text, 'latin1');
    const tlvs = /** @type {[number, Buffer][]} */ ([]);
    const code = /^[0-9]+$/.test(receipt.err) ? Number(receipt.err) : 255;
    const wantsAll = tlvsAre === 'all' || isWrong || format === 'tlv_only';
    if (!receipt.nameless && (wantsAll || tlvsAre === 'id' || format === 'empty_id'))
        tlvs.push([TLV.receipted_message_id, Buffer.from(`${id}\0`)]);
    if (wantsAll)
        tlvs.push([TLV.message_state, Buffer.from([stateNumber(receipt.stat)])],
            [TLV.network_error_code, format === 'ascii_error' ? Buffer.from('000') : Buffer.from([3, code >> 8 & 0xFF, code & 0xFF])]);
    const inTlv = format === 'payload' || format === 'data_sm';
    if (inTlv)
        tlvs.push([TLV.message_payload, octets]);
    return { name: format === 'data_sm' ? 'data_sm' : 'deliver_sm', tlvs,
        fields: { source_addr_ton: 1, source_addr_npi: 1, source_addr: sms.wa_id, dest_addr_ton: sms.ton, dest_addr_npi: sms.npi, destination_addr: sms.address,
            esm_class: receipt.intermediate ? 0x20 : 0x04, data_coding: 0, short_message: inTlv ? Buffer.alloc(0) : octets } };
}
