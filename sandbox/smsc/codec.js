// @ts-check
/** SMPP v3.4 PDUs: octets to fields and back (issue 1.2, sections 3, 4 and 5). */

export const HEADER_BYTES = 16;
const PDU_BYTES_MAX = 128 * 1024; /* message_payload alone may have 64 KiB */

export const STATUS = /** @type {const} */ ({
    ROK: 0, RINVMSGLEN: 1, RINVCMDLEN: 2, RINVCMDID: 3, RINVBNDSTS: 4, RALYBND: 5, RINVREGDLVFLG: 7, RSYSERR: 8, RINVSRCADR: 0x0A, RINVDSTADR: 0x0B, RINVMSGID: 0x0C,
    RBINDFAIL: 0x0D, RINVPASWD: 0x0E, RINVSYSID: 0x0F, RCANCELFAIL: 0x11, RREPLACEFAIL: 0x13, RMSGQFUL: 0x14, RINVESMCLASS: 0x43, RSUBMITFAIL: 0x45, RINVSRCTON: 0x48,
    RINVDSTTON: 0x50, RINVSYSTYP: 0x53, RTHROTTLED: 0x58, RINVSCHED: 0x61, RINVEXPIRY: 0x62, RX_T_APPN: 0x64, RX_P_APPN: 0x65, RX_R_APPN: 0x66, RQUERYFAIL: 0x67,
    RINVTLVSTREAM: 0xC0, RTLVNOTALLWD: 0xC1, RINVTLVLEN: 0xC2, RMISSINGTLV: 0xC3, RINVTLVVAL: 0xC4, RUNKNOWNERR: 0xFF,
});

export const TLV = /** @type {const} */ ({
    receipted_message_id: 0x001E, user_message_reference: 0x0204, sar_msg_ref_num: 0x020C, sar_total_segments: 0x020E, sar_segment_seqnum: 0x020F, sc_interface_version: 0x0210,
    network_error_code: 0x0423, message_payload: 0x0424, message_state: 0x0427, dlt_entity: 0x1400, dlt_template: 0x1401, dlt_chain: 0x1402,
});

const BIND = [['system_id', 16], ['password', 17], ['system_type', 13], ['interface_version', 0], ['addr_ton', 0], ['addr_npi', 0], ['address_range', 41]];
const SOURCE = [['source_addr_ton', 0], ['source_addr_npi', 0], ['source_addr', 21]];
const DEST = [['dest_addr_ton', 0], ['dest_addr_npi', 0], ['destination_addr', 21]];
const SM = [['service_type', 6], ...SOURCE, ...DEST, ['esm_class', 0], ['protocol_id', 0], ['priority_flag', 0], ['schedule_delivery_time', 17], ['validity_period', 17],
    ['registered_delivery', 0], ['replace_if_present_flag', 0], ['data_coding', 0], ['sm_default_msg_id', 0], ['short_message', -1]];
const DATA = [['service_type', 6], ['source_addr_ton', 0], ['source_addr_npi', 0], ['source_addr', 65], ['dest_addr_ton', 0], ['dest_addr_npi', 0], ['destination_addr', 65],
    ['esm_class', 0], ['registered_delivery', 0], ['data_coding', 0]];
const ID = [['message_id', 65]];

/**
 * Name, command_id, and the body in order: how many octets a C-octet string may have with its NUL, 0 for an integer of one octet, -1 for
 * octets behind a length of one octet. @type {[string, number, [string, number][]][]}
 */
const PDUS = /** @type {any} */ ([
    ['generic_nack', 0x80000000, []],
    ['bind_receiver', 1, BIND], ['bind_receiver_resp', 0x80000001, [['system_id', 16]]],
    ['bind_transmitter', 2, BIND], ['bind_transmitter_resp', 0x80000002, [['system_id', 16]]],
    ['query_sm', 3, [['message_id', 65], ...SOURCE]], ['query_sm_resp', 0x80000003, [['message_id', 65], ['final_date', 17], ['message_state', 0], ['error_code', 0]]],
    ['submit_sm', 4, SM], ['submit_sm_resp', 0x80000004, ID],
    ['deliver_sm', 5, SM], ['deliver_sm_resp', 0x80000005, ID],
    ['unbind', 6, []], ['unbind_resp', 0x80000006, []],
    ['cancel_sm', 8, [['service_type', 6], ['message_id', 65], ...SOURCE, ...DEST]], ['cancel_sm_resp', 0x80000008, []],
    ['bind_transceiver', 9, BIND], ['bind_transceiver_resp', 0x80000009, [['system_id', 16]]],
    ['enquire_link', 0x15, []], ['enquire_link_resp', 0x80000015, []],
    ['data_sm', 0x103, DATA], ['data_sm_resp', 0x80000103, ID],
]);
const BY_ID = new Map(PDUS.map(([name, id, body]) => [id, { name, id, body }]));
const BY_NAME = new Map(PDUS.map(([name, id, body]) => [name, { name, id, body }]));

/** A PDU that is not one; `status` is what the other side is told. */
export class CodecError extends Error {
    /** @param {number} status @param {string} message @param {number} [sequence] */
    constructor(status, message, sequence = 0) {
        super(message);
        this.status = status;
        this.sequence = sequence;
    }
}

/** @typedef {{name: string, id: number, status: number, sequence: number, fields: Record<string, any>, tlvs: Map<number, Buffer>}} Pdu */

/** Cuts a stream of octets into PDUs. */
export class Framer {
    constructor() {
        this.rest = /** @type {Buffer} */ (Buffer.alloc(0));
    }

    /** @param {Buffer} octets @returns {Buffer[]} */
    push(octets) {
        this.rest = this.rest.length === 0 ? octets : Buffer.concat([this.rest, octets]);
        const whole = [];
        while (this.rest.length >= 4) {
            const length = this.rest.readUInt32BE(0);
            if (length < HEADER_BYTES || length > PDU_BYTES_MAX)
                throw new CodecError(STATUS.RINVCMDLEN, `command_length ${length}`);
            if (this.rest.length < length)
                break;
            whole.push(this.rest.subarray(0, length));
            this.rest = this.rest.subarray(length);
        }
        return whole;
    }
}

/** @param {Buffer} octets one whole PDU @returns {Pdu} */
export function decode(octets) {
    const id = octets.readUInt32BE(4), status = octets.readUInt32BE(8), sequence = octets.readUInt32BE(12);
    const known = BY_ID.get(id);
    if (known === undefined)
        throw new CodecError(STATUS.RINVCMDID, `command_id 0x${id.toString(16)}`, sequence);
    const pdu = { name: known.name, id, status, sequence, fields: /** @type {Record<string, any>} */ ({}), tlvs: /** @type {Map<number, Buffer>} */ (new Map()) };
    if (octets.length === HEADER_BYTES && id >= 0x80000000)
        return pdu; /* an answer that says no may leave its body out */
    let at = HEADER_BYTES;
    const need = (/** @type {number} */ count) => {
        if (count > octets.length - at)
            throw new CodecError(STATUS.RINVCMDLEN, `${known.name} ends too early`, sequence);
        at += count;
        return octets.subarray(at - count, at);
    };
    for (const [name, kind] of known.body)
        if (kind === 0)
            pdu.fields[name] = need(1)[0];
        else if (kind < 0)
            pdu.fields[name] = need(need(1)[0]);
        else {
            const end = octets.indexOf(0, at);
            if (end < 0 || end - at >= kind)
                throw new CodecError(STATUS.RINVCMDLEN, `${name} has no end`, sequence);
            pdu.fields[name] = need(end - at + 1).subarray(0, -1).toString('latin1');
        }
    while (at < octets.length) {
        const head = need(4), value = head.readUInt16BE(2);
        if (value > octets.length - at)
            throw new CodecError(STATUS.RINVTLVSTREAM, 'a TLV ends too early', sequence);
        pdu.tlvs.set(head.readUInt16BE(0), need(value));
    }
    return pdu;
}

/**
 * @param {string} name @param {{status?: number, sequence: number, fields?: Record<string, any>, tlvs?: Iterable<[number, Buffer]>, bare?: boolean}} pdu
 *   `bare` leaves the body out
 */
export function encode(name, { status = 0, sequence, fields = {}, tlvs = [], bare = false }) {
    const known = BY_NAME.get(name);
    if (known === undefined)
        throw new Error(`no such PDU: ${name}`);
    const parts = /** @type {Buffer[]} */ ([Buffer.alloc(HEADER_BYTES)]);
    for (const [field, kind] of bare ? [] : known.body)
        if (kind === 0)
            parts.push(Buffer.from([Number(fields[field] ?? 0)]));
        else if (kind < 0) {
            const value = Buffer.from(fields[field] ?? '');
            parts.push(Buffer.from([value.length]), value);
        } else
            parts.push(Buffer.from(`${fields[field] ?? ''}\0`, 'latin1'));
    for (const [tag, value] of tlvs) {
        const head = Buffer.alloc(4);
        head.writeUInt16BE(tag, 0);
        head.writeUInt16BE(value.length, 2);
        parts.push(head, value);
    }
    const whole = Buffer.concat(parts);
    whole.writeUInt32BE(whole.length, 0);
    whole.writeUInt32BE(known.id, 4);
    whole.writeUInt32BE(status, 8);
    whole.writeUInt32BE(sequence, 12);
    return whole;
}

/** "YYMMDDhhmmsstnnp" (section 7.1.1): ms since 1970, `relative` ones from now; null for empty, NaN for what is neither. @param {string} text @param {number} now */
export function readTime(text, now) {
    if (text === '')
        return null;
    const found = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([R+-])$/.exec(text);
    if (found === null)
        return NaN;
    const [years, months, days, hours, minutes, seconds, , quarters] = found.slice(1, 9).map(Number);
    if (found[9] === 'R') {
        const then = new Date(now);
        then.setUTCFullYear(then.getUTCFullYear() + years, then.getUTCMonth() + months, then.getUTCDate() + days);
        return then.getTime() + ((hours * 60 + minutes) * 60 + seconds) * 1000;
    }
    if (months < 1 || months > 12 || days < 1 || days > 31 || hours > 23 || minutes > 59 || seconds > 59 || quarters > 48)
        return NaN;
    return Date.UTC(2000 + years, months - 1, days, hours, minutes, seconds) - (found[9] === '+' ? 1 : -1) * quarters * 15 * 60_000;
}
