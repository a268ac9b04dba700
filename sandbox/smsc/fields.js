// @ts-check
/** The fields of a submit, by themselves. */
import { STATUS, TLV, readTime } from './codec.js';

/**
 * What a submit says wrong, as far as its fields tell.
 * @param {import('./types.js').Account} account @param {import('./codec.js').Pdu} pdu @param {number} max of its validity, in seconds; 0 is no limit @returns {number} a command_status
 */
export function fieldProblem(account, { fields, tlvs }, max) {
    if (fields.source_addr === '' || (account.senders.length > 0 && !account.senders.includes(fields.source_addr)))
        return STATUS.RINVSRCADR;
    if (fields.source_addr_ton > 6)
        return STATUS.RINVSRCTON;
    if (fields.dest_addr_ton > 6)
        return STATUS.RINVDSTTON;
    if (!/^[1-9][0-9]{7,14}$/.test(fields.destination_addr))
        return STATUS.RINVDSTADR;
    if (!tlvs.has(TLV.message_payload) && fields.short_message?.length > 254)
        return STATUS.RINVMSGLEN;
    if ((fields.registered_delivery & 3) === 3)
        return STATUS.RINVREGDLVFLG;
    const now = Date.now(), until = readTime(fields.validity_period ?? '', now);
    if (Number.isNaN(readTime(fields.schedule_delivery_time ?? '', now)))
        return STATUS.RINVSCHED;
    return Number.isNaN(until) || (until !== null && max > 0 && until > now + max * 1000 + 60_000) ? STATUS.RINVEXPIRY : 0;
}
