// @ts-check
/** One ESME's connection: binding, the PDUs of both sides, their windows and timers. What a message means is the centre's (centre.js). */
import { CodecError, Framer, STATUS, TLV, decode, encode } from './codec.js';

const SEQUENCE_MAX = 0x7FFFFFFF;
const KINDS = /** @type {Record<string, string>} */ ({ bind_transceiver: 'transceiver', bind_transmitter: 'transmitter', bind_receiver: 'receiver' });

/** @typedef {{name: 'deliver_sm'|'data_sm', fields: Record<string, any>, tlvs: [number, Buffer][], done: (status: number, isAnswered: boolean) => void, tries: number}} Delivery */

export class Session {
    /** @param {import('./centre.js').Centre} centre @param {import('node:net').Socket} socket @param {boolean} isTls */
    constructor(centre, socket, isTls) {
        this.centre = centre;
        this.socket = socket;
        this.id = `l${++centre.linkCount}`;
        this.isTls = isTls;
        this.peer = `${socket.remoteAddress}:${socket.remotePort}`;
        this.since = Date.now();
        /** @type {import('./types.js').Account|null} */
        this.account = null;
        this.kind = 'none';
        this.framer = new Framer();
        this.sequence = 0;
        this.lastHeard = Date.now();
        /** Submits that are not answered yet. */
        this.waiting = 0;
        this.submits = 0;
        this.closed = false;
        /** Requests of ours without an answer. @type {Map<number, {delivery: Delivery|null, timer: NodeJS.Timeout|null}>} */
        this.asked = new Map();
        /** @type {Set<NodeJS.Timeout>} */
        this.timers = new Set();
        socket.setNoDelay(true);
        socket.on('data', (octets) => this.#read(octets)).on('error', () => socket.destroy()).on('close', () => this.#ended());
        this.#later(centre.settings.bind_ms, () => { if (this.account === null) this.drop('fin'); });
    }

    get isReceiver() { return this.kind === 'transceiver' || this.kind === 'receiver'; }
    get isTransmitter() { return this.kind === 'transceiver' || this.kind === 'transmitter'; }

    /** Room for another deliver_sm. */
    get hasRoom() {
        return !this.closed && this.isReceiver && this.account !== null && this.asked.size < this.centre.setting('deliver_window', this.account);
    }

    shown() {
        return { id: this.id, system_id: this.account?.system_id ?? null, kind: this.kind, peer: this.peer, tls: this.isTls, since: this.since, waiting: this.waiting, submits: this.submits, owed: this.asked.size };
    }

    /** @param {number} ms @param {() => void} run */
    #later(ms, run) {
        const timer = setTimeout(() => { this.timers.delete(timer); run(); }, ms);
        this.timers.add(timer);
        return timer;
    }

    /** @param {Buffer} octets */
    #read(octets) {
        this.lastHeard = Date.now();
        try {
            for (const whole of this.framer.push(octets)) {
                if (this.closed)
                    return;
                this.#take(whole);
            }
        } catch (error) {
            if (!(error instanceof CodecError))
                throw error;
            this.send('generic_nack', { status: error.status, sequence: 0 }); /* where the next PDU begins is not known any more */
            this.socket.end();
        }
    }

    /** @param {Buffer} whole */
    #take(whole) {
        let pdu;
        try {
            pdu = decode(whole);
        } catch (error) {
            if (!(error instanceof CodecError))
                throw error;
            this.centre.log(this, 'in', whole, error.message);
            this.centre.count('pdus.broken');
            this.send('generic_nack', { status: error.status, sequence: error.sequence });
            return;
        }
        this.centre.log(this, 'in', whole, pdu.name);
        this.centre.count(`in.${pdu.name}`);
        if (pdu.id >= 0x80000000)
            this.#answered(pdu);
        else
            this.#request(pdu);
    }

    /** @param {import('./codec.js').Pdu} pdu */
    #request(pdu) {
        const { name, sequence } = pdu;
        if (KINDS[name] !== undefined)
            this.#bind(pdu);
        else if (name === 'enquire_link') {
            if (this.centre.faults.strike('enquire', { system_id: this.account?.system_id ?? '' })?.answer !== 'none')
                this.send('enquire_link_resp', { sequence });
        } else if (name === 'unbind') {
            this.send('unbind_resp', { sequence });
            this.kind = 'none';
            this.socket.end();
        } else if (this.account === null || this.kind === 'none' || name === 'deliver_sm')
            this.send(this.account === null || this.kind === 'none' ? `${name}_resp` : 'generic_nack', { status: this.account === null ? STATUS.RINVBNDSTS : STATUS.RINVCMDID, sequence, bare: true });
        else if (!this.isTransmitter)
            this.send(`${name}_resp`, { status: STATUS.RINVBNDSTS, sequence, bare: true });
        else if (name === 'query_sm' || name === 'cancel_sm')
            this.centre.ask(this, pdu);
        else {
            this.submits += 1;
            this.centre.submit(this, pdu);
        }
    }

    /** @param {import('./codec.js').Pdu} pdu */
    #bind(pdu) {
        const { fields, sequence, name } = pdu;
        const effect = this.centre.faults.strike('bind', { system_id: fields.system_id });
        if (effect?.answer === 'none')
            return;
        if (effect?.answer === 'cut')
            return this.drop('rst');
        const account = this.centre.accounts.get(fields.system_id);
        const status = effect?.status ?? this.#refusal(fields, account, KINDS[name]);
        if (status !== 0 || account === undefined) {
            this.centre.count('binds.refused');
            this.send(`${name}_resp`, { status: status || STATUS.RINVSYSID, sequence, bare: true });
            this.socket.end();
            return;
        }
        this.account = account;
        this.kind = KINDS[name];
        const version = this.centre.setting('version_tlv', account);
        this.send(`${name}_resp`, { sequence, fields: { system_id: 'sandbox' },
            tlvs: version === 'absent' ? [] : [[version === 'right' ? TLV.sc_interface_version : 0x1002, Buffer.from([0x34])]] });
        this.centre.bound(this);
        this.#beat();
    }

    /** @param {Record<string, any>} fields @param {import('./types.js').Account|undefined} account @param {string} kind @returns {number} */
    #refusal(fields, account, kind) {
        if (this.account !== null)
            return STATUS.RALYBND;
        if (account === undefined)
            return STATUS.RINVSYSID;
        if (account.password !== fields.password)
            return STATUS.RINVPASWD;
        if (account.system_type !== null && account.system_type !== fields.system_type)
            return STATUS.RINVSYSTYP;
        if (!account.binds.includes(kind))
            return STATUS.RBINDFAIL;
        const max = this.centre.setting('binds_max', account);
        return max > 0 && this.centre.linksOf(account.system_id).length >= max ? STATUS.RALYBND : 0;
    }

    /** Asks whether the other side lives, and cuts who says nothing. */
    #beat() {
        const account = /** @type {import('./types.js').Account} */ (this.account);
        const enquire = this.centre.setting('enquire_ms', account), idle = this.centre.setting('idle_ms', account);
        if (enquire > 0)
            this.#later(enquire, () => { this.#ask('enquire_link', {}, null); this.#beat(); });
        else if (idle > 0)
            this.#later(Math.max(1, this.lastHeard + idle - Date.now()), () => { if (Date.now() - this.lastHeard >= idle) this.drop('fin'); else this.#beat(); });
    }

    /** @param {string} name @param {{fields?: Record<string, any>, tlvs?: [number, Buffer][]}} pdu @param {Delivery|null} delivery */
    #ask(name, pdu, delivery) {
        if (this.closed)
            return;
        this.sequence = this.sequence >= SEQUENCE_MAX ? 1 : this.sequence + 1;
        const sequence = this.sequence;
        const timer = delivery === null || this.account === null ? null : this.#later(this.centre.setting('deliver_timeout_ms', this.account), () => this.#settle(sequence, STATUS.RX_T_APPN, false));
        this.asked.set(sequence, { delivery, timer });
        this.send(name, { ...pdu, sequence });
    }

    /** @param {Delivery} delivery */
    deliver(delivery) {
        this.#ask(delivery.name, delivery, delivery);
    }

    /** @param {import('./codec.js').Pdu} pdu */
    #answered(pdu) {
        if (!this.asked.has(pdu.sequence)) {
            this.centre.count('answers.stray');
            return;
        }
        this.#settle(pdu.sequence, pdu.name === 'generic_nack' ? pdu.status || STATUS.RUNKNOWNERR : pdu.status, true);
    }

    /** @param {number} sequence @param {number} status @param {boolean} isAnswered */
    #settle(sequence, status, isAnswered) {
        const found = this.asked.get(sequence);
        this.asked.delete(sequence);
        if (found?.timer) {
            clearTimeout(found.timer);
            this.timers.delete(found.timer);
        }
        found?.delivery?.done(status, isAnswered);
        if (this.account !== null)
            this.centre.pump(this.account.system_id);
    }

    /** @param {string} name @param {{status?: number, sequence: number, fields?: Record<string, any>, tlvs?: [number, Buffer][], bare?: boolean}} pdu */
    send(name, pdu) {
        if (!this.closed)
            this.raw(encode(name, pdu), name);
    }

    /** @param {Buffer} octets @param {string} name for the log */
    raw(octets, name) {
        if (this.closed || this.socket.writableEnded)
            return;
        this.centre.log(this, 'out', octets, name);
        this.socket.write(octets);
    }

    /** Ends the link as networks and operators do. @param {'fin'|'rst'|'unbind'|'torn'} how */
    drop(how) {
        this.centre.count(`links.dropped.${how}`);
        if (how === 'unbind')
            this.#ask('unbind', {}, null);
        else if (how === 'torn') {
            this.socket.write(Buffer.from([0, 0, 0, 0x40, 0, 0, 0, 5, 0, 0]));
            this.socket.end();
        } else if (how === 'fin')
            this.socket.end();
        else if (this.isTls)
            this.socket.destroy();
        else
            this.socket.resetAndDestroy();
    }

    #ended() {
        this.closed = true;
        for (const timer of this.timers)
            clearTimeout(timer);
        this.timers.clear();
        const owed = [...this.asked.values()];
        this.asked.clear();
        this.centre.gone(this);
        for (const { delivery } of owed)
            delivery?.done(STATUS.RX_T_APPN, false);
    }
}
