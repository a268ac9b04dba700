// @ts-check
/** Long messages: which part of what a PDU is, and the parts put together (3GPP TS 23.040, 9.2.3.24; SMPP 5.3.2.22 to 24). */
import { STATUS, TLV } from './codec.js';

/**
 * @typedef {object} Part
 * @property {'one'|'udh8'|'udh16'|'sar'|'payload'} how
 * @property {number} ref
 * @property {number} total
 * @property {number} seq from 1
 * @property {Buffer} octets without the header
 */

/** @param {import('./codec.js').Pdu} pdu submit_sm, deliver_sm or data_sm @returns {Part|{refuse: number}} */
export function readPart(pdu) {
    const payload = pdu.tlvs.get(TLV.message_payload);
    const short = /** @type {Buffer} */ (pdu.fields.short_message ?? Buffer.alloc(0));
    if (payload !== undefined && short.length > 0)
        return { refuse: STATUS.RTLVNOTALLWD };
    const octets = payload ?? short;
    const [ref, total, seq] = [TLV.sar_msg_ref_num, TLV.sar_total_segments, TLV.sar_segment_seqnum].map((tag) => pdu.tlvs.get(tag));
    const hasSar = ref !== undefined || total !== undefined || seq !== undefined;
    if ((pdu.fields.esm_class & 0x40) !== 0)
        return hasSar ? { refuse: STATUS.RINVESMCLASS } : readHeader(octets, payload !== undefined);
    if (!hasSar)
        return { how: payload === undefined ? 'one' : 'payload', ref: 0, total: 1, seq: 1, octets };
    if (ref?.length !== 2 || total?.length !== 1 || seq?.length !== 1)
        return { refuse: STATUS.RINVTLVLEN };
    if (seq[0] < 1 || seq[0] > total[0])
        return { refuse: STATUS.RINVTLVVAL };
    return { how: 'sar', ref: ref.readUInt16BE(0), total: total[0], seq: seq[0], octets };
}

/** @param {Buffer} octets @param {boolean} isPayload @returns {Part|{refuse: number}} */
function readHeader(octets, isPayload) {
    const end = octets.length === 0 ? 0 : 1 + octets[0];
    if (end < 2 || end > octets.length)
        return { refuse: STATUS.RINVESMCLASS };
    const rest = octets.subarray(end);
    for (let at = 1; at + 2 <= end;) {
        const length = octets[at + 1], value = octets.subarray(at + 2, at + 2 + length);
        if (at + 2 + length > end)
            return { refuse: STATUS.RINVESMCLASS };
        const numbers = octets[at] === 0x00 && length === 3 ? { how: /** @type {const} */ ('udh8'), ref: value[0], total: value[1], seq: value[2] }
            : octets[at] === 0x08 && length === 4 ? { how: /** @type {const} */ ('udh16'), ref: value.readUInt16BE(0), total: value[2], seq: value[3] } : null;
        if (numbers !== null)
            return numbers.seq < 1 || numbers.seq > numbers.total ? { refuse: STATUS.RINVESMCLASS } : { ...numbers, octets: rest };
        at += 2 + length;
    }
    return { how: isPayload ? 'payload' : 'one', ref: 0, total: 1, seq: 1, octets: rest };
}

/** @param {number} ref @param {number} total @param {number} seq */
export const header8 = (ref, total, seq) => Buffer.from([5, 0, 3, ref & 0xFF, total, seq]);

/** @param {number} ref @param {number} total @param {number} seq */
export const header16 = (ref, total, seq) => Buffer.from([6, 8, 4, (ref >> 8) & 0xFF, ref & 0xFF, total, seq]);

/** What the parts of one message have in common. @param {{system_id: string, address: string, wa_id: string, how: string, ref: number, total: number}} of */
export const setOf = ({ system_id: id, address, wa_id: person, how, ref, total }) => [id, address, person, how, ref, total].join('/');

/**
 * The PDUs that bring what a person wrote. @param {import('./types.js').Sms} sms @param {Buffer[]} parts of its text @param {'deliver_sm'|'data_sm'} name
 * @returns {{name: 'deliver_sm'|'data_sm', fields: Record<string, any>, tlvs: [number, Buffer][]}[]}
 */
export function writeParts({ how, ref, wa_id: from, address: to, ton, npi, data_coding: coding }, parts, name) {
    const total = parts.length;
    const fields = { source_addr_ton: 1, source_addr_npi: 1, source_addr: from, dest_addr_ton: ton, dest_addr_npi: npi, destination_addr: to, data_coding: coding };
    if (how === 'payload' && total > 1)
        return [{ name, fields, tlvs: [[TLV.message_payload, Buffer.concat(parts)]] }];
    return parts.map((octets, index) => {
        const tlvs = /** @type {[number, Buffer][]} */ (total > 1 && how === 'sar' ? [[TLV.sar_msg_ref_num, Buffer.from([0, ref])], [TLV.sar_total_segments, Buffer.from([total])], [TLV.sar_segment_seqnum, Buffer.from([index + 1])]] : []);
        const hasHeader = total > 1 && how !== 'sar';
        const whole = hasHeader ? Buffer.concat([how === 'udh16' ? header16(ref, total, index + 1) : header8(ref, total, index + 1), octets]) : octets;
        const inTlv = name === 'data_sm';
        return { name, fields: { ...fields, esm_class: hasHeader ? 0x40 : 0, short_message: inTlv ? Buffer.alloc(0) : whole }, tlvs: inTlv ? [...tlvs, /** @type {[number, Buffer]} */ ([TLV.message_payload, whole])] : tlvs };
    });
}
