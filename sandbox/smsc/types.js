// @ts-check
/**
 * Shapes shared by the modules of the message centre. Types only: this file holds no code.
 *
 * @typedef {object} Settings Dials; a value here is the default, an account may override each.
 * @property {number} latency_ms from a submit_sm to its answer
 * @property {number} latency_jitter_ms up to so much more, at random
 * @property {number} throughput_per_second PDUs a second an account may submit, all its links together; 0 is no limit. Over it: `throttle_status`
 * @property {number} throttle_status 88 (ESME_RTHROTTLED) or 20 (ESME_RMSGQFUL)
 * @property {number} window_max submits without an answer on one link; 0 is no limit. Over it: `throttle_status`
 * @property {number} binds_max links an account may have bound; 0 is no limit. Over it: ESME_RALYBND
 * @property {number} receipt_delay_ms from acceptance to the final receipt
 * @property {string} receipt_format how receipts are written
 * @property {'all'|'none'|'id'|'conflict'} receipt_tlvs which of a receipt's TLVs are there; `conflict`: they are right, the text is not
 * @property {'as_given'|'decimal'|'hex'|'upper'|'zeros'} receipt_id how a receipt writes the id that the answer had
 * @property {'after'|'early'|'never'|'twice'} receipt_when `early`: before the answer to its submit
 * @property {'decimal'|'hex'|'upper'|'uuid'|'long'|'zeros'} id_style of message_id in answers
 * @property {number} clock_minutes local time of the centre in receipts, ahead of UTC
 * @property {import('./alphabet.js').Encoding} alphabet what data_coding 0 means
 * @property {'udh8'|'udh16'|'sar'|'payload'} mo_long how what a person writes is cut when it is long
 * @property {'deliver_sm'|'data_sm'} mo_pdu
 * @property {number} deliver_window deliver_sm without an answer on one link
 * @property {number} deliver_timeout_ms then it is sent again
 * @property {number} deliver_retry_ms pause after an answer that says later
 * @property {number} enquire_ms the centre asks so often whether the other side lives; 0: never
 * @property {number} idle_ms a link without a PDU for so long is cut; 0: never
 * @property {number} bind_ms a connection that is not bound within it is cut
 * @property {number} validity_max_s longer ones are refused; 0 is no limit
 * @property {number} expire_ms how long a message waits for a phone that is off
 * @property {'right'|'swapped'|'absent'} version_tlv sc_interface_version in the answer to a bind
 * @property {'off'|'check'} dlt whether messages to +91 are looked up in the registry
 * @property {'receipt'|'submit'} dlt_answer where a breach of it is told
 * @property {'on'|'off'} dlt_hours whether promotional messages are taken from 10:00 to 21:00 IST only
 *
 * @typedef {object} Account An ESME's.
 * @property {string} system_id
 * @property {string} password
 * @property {string|null} system_type what a bind must name; null: anything
 * @property {string[]} binds of transceiver, transmitter, receiver
 * @property {string[]} senders what may be written as the sender; empty: anything
 * @property {string[]} numbers that people can write to, and that reach this account
 * @property {Partial<Settings>} settings
 *
 * @typedef {object} Receipt One that is to be sent.
 * @property {string} stat
 * @property {string} err three characters, or as the operator likes
 * @property {number} after_ms counted from the one before
 * @property {boolean} [intermediate]
 * @property {boolean} [nameless] names no id
 * @property {string} [stranger] names this id in place of its own
 *
 * @typedef {object} Piece One PDU that was taken, a whole message or a part of one.
 * @property {string} id message_id as it was answered
 * @property {number} seq
 * @property {number} at ms
 * @property {string} octets hex, without the header
 * @property {number} registered registered_delivery
 * @property {number|null} valid_until
 * @property {string} state the last that the centre has come to, in a receipt's words
 * @property {string} err
 * @property {{stat: string, err: string, at: number, taken?: boolean}[]} receipts that were told; `taken`: answered with ESME_ROK
 * @property {{entity: string|null, template: string|null, chain: string|null}} dlt
 * @property {number} sequence of its submit
 *
 * @typedef {object} Sms A message as a person sees it.
 * @property {string} id sms-...
 * @property {'out'|'in'} direction `out` is from the business
 * @property {string} system_id
 * @property {string} address the business: a header, a short code or a number
 * @property {number} ton of it
 * @property {number} npi
 * @property {string} wa_id the person, digits
 * @property {string} text
 * @property {import('./alphabet.js').Encoding} encoding
 * @property {number} data_coding
 * @property {string} how long messages are cut
 * @property {number} ref
 * @property {number} total parts
 * @property {Piece[]} pieces
 * @property {number} at
 * @property {boolean} held waits for the phone
 * @property {{status: string, at: number, code?: string}[]} statuses
 * @property {{taken: number, unanswered: number}[]} [parts] of a person's message: how often each PDU of it was answered with ESME_ROK, and how often a try had no answer
 */
export {};
