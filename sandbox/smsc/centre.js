// @ts-check
/** The message centre: accounts, what they submit, what phones get of it, and the receipts and messages that go back. */
import { randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { encodingOf, read, write } from './alphabet.js';
import { STATUS, TLV, readTime } from './codec.js';
import { checkIds, checkText, emptyRegistry } from './dlt.js';
import { fieldProblem } from './fields.js';
import { Faults } from './faults.js';
import { magicOf, receipt } from './magic.js';
import { readPart, setOf, writeParts } from './parts.js';
import { isFinal, stateNumber, writeReceipt } from './receipts.js';
import { DEFAULTS } from './settings.js';

const MESSAGES_MAX = 50_000; /* the oldest go: a load test must not eat the machine */
const PDUS_MAX = 1000;
const QUEUE_MAX = 100_000;
const TIMER_MS_MAX = 2 ** 31 - 1;

/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./types.js').Account} Account */
/** @typedef {import('./types.js').Sms} Sms */
/** @typedef {import('./types.js').Piece} Piece */

/**
 * Where the centre keeps things, and the phones: the sandbox that it is in, or nothing of the kind.
 * @typedef {object} Host
 * @property {(kind: 'sms'|'sms_account'|'sms_dlt', id: string, value: any) => void} put
 * @property {(kind: 'sms'|'sms_account'|'sms_dlt', id: string) => void} remove
 * @property {(kind: 'sms'|'sms_account'|'sms_dlt') => Iterable<[string, any]>} all
 * @property {(waId: string) => {online: boolean}} phone made when first needed
 * @property {() => void} flush writes what was put: before anybody is told that it is kept
 */

/** @returns {Host} */
export const noHost = () => ({ put: () => {}, remove: () => {}, all: () => [], phone: () => ({ online: true }), flush: () => {} });

export class Centre {
    /** @param {Partial<import('./types.js').Settings>} [settings] @param {Host} [host] */
    constructor(settings = {}, host = noHost()) {
        this.settings = { ...DEFAULTS, ...settings };
        this.host = host;
        /** 'sms', 'sms_status', 'link', 'account', 'fault', 'settled'. */
        this.bus = new EventEmitter().setMaxListeners(0);
        /** @type {Map<string, Account>} */
        this.accounts = new Map(host.all('sms_account'));
        /** @type {Map<string, Sms>} */
        this.messages = new Map(host.all('sms'));
        /** @type {import('./dlt.js').Registry} */
        this.registry = new Map(host.all('sms_dlt')).get('registry') ?? emptyRegistry();
        /** Which message a message_id is a part of. @type {Map<string, Sms>} */
        this.byPiece = new Map();
        /** Messages of which parts are missing, by who sends what to whom. @type {Map<string, Sms>} */
        this.open = new Map();
        /** @type {Set<Session>} */
        this.links = new Set();
        this.linkCount = 0;
        /** What waits for a link, by system_id. @type {Map<string, import('./session.js').Delivery[]>} */
        this.queues = new Map();
        /** @type {Map<string, number>} */
        this.turns = new Map();
        /** @type {Map<string, {tokens: number, at: number}>} */
        this.buckets = new Map();
        /** @type {import('./magic.js').Refused} */
        this.refused = new Map();
        this.faults = new Faults();
        /** @type {Record<string, number>} */
        this.counters = {};
        /** @type {{at: number, link: string, system_id: string|null, direction: 'in'|'out', what: string, octets: Buffer}[]} */
        this.pdus = [];
        /** @type {Set<NodeJS.Timeout>} */
        this.timers = new Set();
        this.lastId = Date.now() * 1000;
        this.moRef = 0;
        for (const sms of this.messages.values()) {
            for (const piece of sms.pieces)
                this.byPiece.set(piece.id, sms);
            if (sms.direction === 'out' && sms.pieces.length < sms.total)
                this.open.set(setOf(sms), sms);
        }
    }

    /** Goes on with what a stop had interrupted: receipts and people's messages that nobody took yet. */
    resume() {
        for (const sms of this.messages.values())
            if (sms.direction === 'in')
                this.#bring(sms, true);
            else if (sms.pieces.length === sms.total)
                for (const piece of sms.pieces)
                    this.#goOn(sms, piece);
    }

    /** @param {Sms} sms @param {Piece} piece */
    #goOn(sms, piece) {
        const account = this.accounts.get(sms.system_id);
        for (const told of piece.receipts.filter(({ taken }) => taken === false))
            if (account !== undefined)
                this.#tellOnce(account, sms, piece, told, receipt(told.stat, told.err), told.at);
        if (!isFinal(piece.state))
            this.#schedule(sms, piece, {});
    }

    /** What is not done: PDUs that wait for a link or an answer, and what is due later. */
    owed() {
        return [...this.queues.values()].reduce((sum, { length }) => sum + length, 0) + [...this.links].reduce((sum, { asked, waiting }) => sum + asked.size + waiting, 0) + this.timers.size;
    }

    /** @param {string} name @param {number} [by] */
    count(name, by = 1) {
        this.counters[name] = (this.counters[name] ?? 0) + by;
    }

    /** @template {keyof import('./types.js').Settings} K @param {K} name @param {Account|undefined|null} account @returns {import('./types.js').Settings[K]} */
    setting(name, account) {
        return /** @type {any} */ (account?.settings[name] ?? this.settings[name]);
    }

    /** @param {number} ms @param {() => void} run */
    later(ms, run) {
        const timer = setTimeout(() => { this.timers.delete(timer); run(); }, Math.min(ms, TIMER_MS_MAX));
        this.timers.add(timer);
    }

    /** @param {Session} session @param {'in'|'out'} direction @param {Buffer} octets @param {string} what */
    log(session, direction, octets, what) {
        this.pdus.push({ at: Date.now(), link: session.id, system_id: session.account?.system_id ?? null, direction, what, octets });
        if (this.pdus.length >= 2 * PDUS_MAX)
            this.pdus.splice(0, this.pdus.length - PDUS_MAX);
    }

    /** @param {string} systemId */
    linksOf(systemId) {
        return [...this.links].filter((link) => link.account?.system_id === systemId && link.kind !== 'none');
    }

    /** @param {Session} session */
    bound(session) {
        this.count('binds');
        this.bus.emit('link', session.shown());
        this.pump(String(session.account?.system_id));
    }

    /** @param {Session} session */
    gone(session) {
        this.links.delete(session);
        this.bus.emit('link', session.shown());
        this.bus.emit('settled');
    }

    /* ---- from the ESME ---- */

    /** Tokens of what an account may submit in a second. @param {Account} account */
    #isTooFast(account) {
        const rate = this.setting('throughput_per_second', account);
        if (rate === 0)
            return false;
        const now = Date.now();
        const bucket = this.buckets.get(account.system_id) ?? { tokens: rate, at: now };
        bucket.tokens = Math.min(rate, bucket.tokens + (now - bucket.at) * rate / 1000);
        bucket.at = now;
        this.buckets.set(account.system_id, bucket);
        if (bucket.tokens < 1)
            return true;
        bucket.tokens -= 1;
        return false;
    }

    /** @param {Session} session @param {import('./codec.js').Pdu} pdu submit_sm or data_sm */
    submit(session, pdu) {
        const account = /** @type {Account} */ (session.account);
        const person = String(pdu.fields.destination_addr), from = String(pdu.fields.source_addr);
        const windowMax = this.setting('window_max', account);
        if ((windowMax > 0 && session.waiting >= windowMax) || this.#isTooFast(account)) {
            this.count('submits.throttled');
            session.send(`${pdu.name}_resp`, { status: this.setting('throttle_status', account), sequence: pdu.sequence, bare: true });
            return;
        }
        const effect = this.faults.strike('submit', { to: person, from, system_id: account.system_id }) ?? magicOf(person, this.refused);
        const taken = effect.status !== undefined ? { status: effect.status } : effect.lost ? { status: 0, id: this.#newId(account) } : this.#accept(session, pdu, effect);
        this.count(taken.status === 0 ? 'submits.accepted' : `submits.refused.${taken.status}`);
        const latency = (effect.latency_ms ?? this.setting('latency_ms', account)) + Math.floor(Math.random() * (this.setting('latency_jitter_ms', account) + 1));
        session.waiting += 1;
        const reply = () => {
            session.waiting -= 1;
            this.#reply(session, pdu, effect.answer ?? 'right', taken.status, taken.id ?? '');
        };
        if (latency > 0)
            this.later(latency, reply);
        else if (effect.when === 'early' || this.setting('receipt_when', account) === 'early')
            this.later(100, reply);
        else
            reply();
    }

    /** @param {Session} session @param {import('./codec.js').Pdu} pdu @param {import('./magic.js').Answer} how @param {number} status @param {string} id */
    #reply(session, pdu, how, status, id) {
        this.host.flush();
        const name = `${pdu.name}_resp`, answer = { status, sequence: pdu.sequence, fields: { message_id: id }, bare: status !== 0 };
        switch (how) {
            case 'none': return;
            case 'cut': return session.drop('rst');
            case 'torn': return session.drop('torn');
            case 'nack': return session.send('generic_nack', { status: STATUS.RINVCMDID, sequence: pdu.sequence });
            case 'bare': return session.send(name, { ...answer, bare: true });
            case 'twice':
                session.send(name, answer);
                return session.send(name, answer);
            case 'stray':
                session.send(name, { ...answer, sequence: 0x7FFFFFFE });
                return session.send(name, answer);
            case 'right': return session.send(name, answer);
        }
    }

    /** @param {Account} account */
    #newId(account) {
        this.lastId += 1;
        switch (this.setting('id_style', account)) {
            case 'hex': return this.lastId.toString(16);
            case 'upper': return this.lastId.toString(16).toUpperCase();
            case 'uuid': return randomUUID();
            case 'long': return `${BigInt(this.lastId)}${BigInt(`0x${randomBytes(4).toString('hex')}`).toString().padStart(10, '0')}`;
            case 'zeros': return `0000${this.lastId}`;
            default: return String(this.lastId);
        }
    }

    /** @param {Session} session @param {import('./codec.js').Pdu} pdu @param {import('./magic.js').Effect} effect @returns {{status: number, id?: string}} */
    #accept(session, pdu, effect) {
        const account = /** @type {Account} */ (session.account), { fields, tlvs } = pdu;
        const problem = fieldProblem(account, pdu, this.setting('validity_max_s', account));
        if (problem !== 0)
            return { status: problem };
        const part = readPart(pdu);
        if ('refuse' in part)
            return { status: part.refuse };
        const word = (/** @type {number} */ tag) => tlvs.get(tag)?.toString('latin1').replace(/\0$/, '') ?? null;
        const dlt = { entity: word(TLV.dlt_entity), template: word(TLV.dlt_template), chain: word(TLV.dlt_chain) };
        const isChecked = this.#isIndian(account, fields.destination_addr), told = isChecked ? checkIds(this.registry, dlt, fields.source_addr) : 0;
        if (told === 195 || ((told === 604 || told === 637) && this.setting('dlt_answer', account) === 'submit'))
            return { status: told === 195 ? STATUS.RMISSINGTLV : STATUS.RINVTLVVAL };
        if (told !== 0 && this.setting('dlt_answer', account) === 'submit')
            return { status: STATUS.RINVTLVVAL };
        const now = Date.now();
        const piece = /** @type {Piece} */ ({ id: this.#newId(account), seq: part.seq, at: now, octets: part.octets.toString('hex'), registered: fields.registered_delivery,
            valid_until: readTime(fields.validity_period ?? '', now), state: 'ENROUTE', err: '000', receipts: [], dlt, sequence: pdu.sequence });
        const sms = this.#collect(account, fields, part, piece);
        if (sms.pieces.length === sms.total)
            this.#whole(account, sms, isChecked, told, effect);
        return { status: 0, id: piece.id };
    }

    /** @param {Account} account @param {string} person */
    #isIndian(account, person) {
        return this.setting('dlt', account) === 'check' && person.startsWith('91');
    }

    /** The message that a piece is of. @param {Account} account @param {Record<string, any>} fields @param {import('./parts.js').Part} part @param {Piece} piece @returns {Sms} */
    #collect(account, fields, part, piece) {
        const key = part.total === 1 ? null : setOf({ system_id: account.system_id, address: fields.source_addr, wa_id: fields.destination_addr, ...part });
        let sms = key === null ? undefined : this.open.get(key);
        if (sms?.pieces.some((other) => other.seq === part.seq))
            sms = undefined; /* sent again: another message as far as phones go */
        if (sms === undefined) {
            sms = { id: `sms-${piece.id}`, direction: 'out', system_id: account.system_id, address: fields.source_addr, ton: fields.source_addr_ton, npi: fields.source_addr_npi,
                wa_id: fields.destination_addr, text: '', encoding: encodingOf(fields.data_coding, this.setting('alphabet', account)), data_coding: fields.data_coding, how: part.how,
                ref: part.ref, total: part.total, pieces: [], at: piece.at, held: false, statuses: [] };
            this.host.phone(sms.wa_id);
            this.messages.set(sms.id, sms);
            if (this.messages.size > MESSAGES_MAX)
                this.forget(/** @type {string} */ (this.messages.keys().next().value));
            if (key !== null)
                this.open.set(key, sms);
        }
        sms.pieces.push(piece);
        sms.pieces.sort((a, b) => a.seq - b.seq);
        this.byPiece.set(piece.id, sms);
        if (key !== null && sms.pieces.length === sms.total)
            this.open.delete(key);
        sms.text = read(Buffer.concat(sms.pieces.map(({ octets }) => Buffer.from(octets, 'hex'))), sms.encoding);
        this.host.put('sms', sms.id, sms);
        return sms;
    }

    /** @param {string} id of a message */
    forget(id) {
        for (const piece of this.messages.get(id)?.pieces ?? [])
            this.byPiece.delete(piece.id);
        this.messages.delete(id);
        this.host.remove('sms', id);
    }

    /** All parts are there: what becomes of them. @param {Account} account @param {Sms} sms @param {boolean} isChecked @param {number} told @param {import('./magic.js').Effect} effect */
    #whole(account, sms, isChecked, told, effect) {
        this.bus.emit('sms', sms);
        let code = told;
        if (isChecked && code === 0)
            code = checkText(this.registry, sms.pieces[0].dlt.template, sms.text, sms.wa_id, { hours: this.setting('dlt_hours', account) === 'on', now: Date.now() });
        const scrubbed = code === 0 ? effect : { ...effect, receipts: [receipt('REJECTD', String(code))] };
        for (const piece of sms.pieces)
            this.#schedule(sms, piece, scrubbed);
    }

    /* ---- receipts ---- */

    /** @param {Sms} sms @param {Piece} piece @param {import('./magic.js').Effect} effect */
    #schedule(sms, piece, effect) {
        const account = this.accounts.get(sms.system_id);
        const plan = effect.receipts ?? [receipt('DELIVRD')];
        const when = effect.when ?? this.setting('receipt_when', account);
        const isEarly = when === 'early';
        let at = isEarly ? 0 : (effect.latency_ms ?? this.setting('latency_ms', account)) + this.setting('receipt_delay_ms', account);
        for (const [index, step] of plan.entries()) {
            at += step.after_ms + (index > 0 && !isEarly ? this.setting('receipt_delay_ms', account) : 0);
            this.later(at, () => this.#arrive(sms, piece, step, when));
        }
    }

    /** @param {Sms} sms @param {Piece} piece @param {import('./types.js').Receipt} step @param {import('./types.js').Settings['receipt_when']} when */
    #arrive(sms, piece, step, when) {
        if (piece.state === 'DELETED' && piece.receipts.length > 0)
            return; /* canceled meanwhile */
        if (step.stat !== 'DELIVRD' || this.host.phone(sms.wa_id).online)
            return this.tell(sms, piece, step, when);
        const account = this.accounts.get(sms.system_id);
        const until = Math.min(piece.valid_until ?? Number.POSITIVE_INFINITY, piece.at + this.setting('expire_ms', account));
        sms.held = true;
        this.bus.emit('sms_status', sms);
        const wait = () => {
            if (isFinal(piece.state))
                return;
            if (this.host.phone(sms.wa_id).online)
                this.tell(sms, piece, step, when);
            else if (Date.now() >= until)
                this.tell(sms, piece, receipt('EXPIRED', '061'), when);
            else
                this.later(Math.min(250, Math.max(1, until - Date.now())), wait);
        };
        wait();
    }

    /** Notes what became of a piece, and tells it. @param {Sms} sms @param {Piece} piece @param {import('./types.js').Receipt} step @param {import('./types.js').Settings['receipt_when']} when */
    tell(sms, piece, step, when) {
        const account = this.accounts.get(sms.system_id), now = Date.now();
        if (isFinal(step.stat) || !isFinal(piece.state))
            Object.assign(piece, { state: step.stat, err: step.err });
        sms.held = false;
        this.#status(sms, now);
        const asks = piece.registered & 3, isWanted = step.intermediate ? (piece.registered & 0x10) !== 0 || (asks & 1) !== 0 : asks === 1 || (asks === 2 && isFinal(step.stat) && step.stat !== 'DELIVRD');
        if (account === undefined || !isWanted || when === 'never')
            return;
        const told = { stat: step.stat, err: step.err, at: now, taken: false };
        piece.receipts.push(told);
        for (let copies = when === 'twice' ? 2 : 1; copies > 0; copies--)
            this.#tellOnce(account, sms, piece, told, step, now);
        this.count('receipts');
        this.host.put('sms', sms.id, sms);
    }

    /** @param {Account} account @param {Sms} sms @param {Piece} piece @param {Piece['receipts'][number]} told @param {import('./types.js').Receipt} step @param {number} at */
    #tellOnce(account, sms, piece, told, step, at) {
        this.enqueue(account.system_id, writeReceipt(piece, sms, step, (name) => this.setting(name, account), at), (isTaken) => {
            told.taken ||= isTaken;
            this.host.put('sms', sms.id, sms);
        });
    }

    /** What a person's page says of the whole message. @param {Sms} sms @param {number} at */
    #status(sms, at) {
        const states = sms.pieces.map(({ state }) => state);
        const status = states.every((state) => state === 'DELIVRD') ? 'delivered' : states.every(isFinal) ? 'failed' : null;
        if (status !== null && sms.statuses.at(-1)?.status !== status)
            sms.statuses.push({ status, at, ...(status === 'failed' ? { code: sms.pieces.map(({ state, err }) => (state === 'DELIVRD' ? null : `${state} ${err}`)).find((text) => text !== null) ?? '' } : {}) });
        this.host.put('sms', sms.id, sms);
        this.bus.emit('sms_status', sms);
    }

    /* ---- to the ESME ---- */

    /**
     * @param {string} systemId @param {{name: 'deliver_sm'|'data_sm', fields: Record<string, any>, tlvs: [number, Buffer][]}} pdu
     * @param {(isTaken: boolean, isAnswered: boolean) => void} [told] after each try
     */
    enqueue(systemId, pdu, told = () => {}) {
        const delivery = { ...pdu, tries: 0, done: (/** @type {number} */ status, /** @type {boolean} */ isAnswered) => {
            told(status === 0, isAnswered);
            this.#delivered(systemId, delivery, status);
        } };
        this.#push(systemId, delivery);
        this.pump(systemId);
    }

    /** @param {string} systemId @param {import('./session.js').Delivery} delivery */
    #push(systemId, delivery) {
        const queue = this.queues.get(systemId) ?? [];
        this.queues.set(systemId, queue);
        if (queue.length < QUEUE_MAX)
            queue.push(delivery);
        else
            this.count('deliveries.dropped');
    }

    /** @param {string} systemId @param {import('./session.js').Delivery} delivery @param {number} status */
    #delivered(systemId, delivery, status) {
        if (status === 0)
            this.count('deliveries.taken');
        else if (/** @type {number[]} */ ([STATUS.RX_T_APPN, STATUS.RSYSERR, STATUS.RMSGQFUL, STATUS.RTHROTTLED]).includes(status)) {
            this.count('deliveries.again');
            delivery.tries += 1;
            this.later(this.setting('deliver_retry_ms', this.accounts.get(systemId)), () => { this.#push(systemId, delivery); this.pump(systemId); });
        } else
            this.count(`deliveries.refused.${status}`);
        this.bus.emit('settled');
    }

    /** Gives what waits to the links of an account, in turn. @param {string} systemId */
    pump(systemId) {
        const queue = this.queues.get(systemId);
        while (queue !== undefined && queue.length > 0) {
            const links = this.linksOf(systemId).filter((link) => link.hasRoom);
            if (links.length === 0)
                return;
            const turn = (this.turns.get(systemId) ?? 0) + 1;
            this.turns.set(systemId, turn);
            links[turn % links.length].deliver(/** @type {import('./session.js').Delivery} */ (queue.shift()));
        }
    }

    /** query_sm and cancel_sm. @param {Session} session @param {import('./codec.js').Pdu} pdu */
    ask(session, pdu) {
        const sms = this.byPiece.get(pdu.fields.message_id);
        const piece = sms?.system_id === session.account?.system_id ? sms?.pieces.find(({ id }) => id === pdu.fields.message_id) : undefined;
        const refuse = (/** @type {number} */ status) => session.send(`${pdu.name}_resp`, { status, sequence: pdu.sequence, bare: true });
        if (sms === undefined || piece === undefined)
            return refuse(STATUS.RINVMSGID);
        if (pdu.name === 'query_sm')
            return session.send('query_sm_resp', { sequence: pdu.sequence, fields: { message_id: piece.id, final_date: '', message_state: stateNumber(piece.state), error_code: Number(piece.err) & 0xFF } });
        if (isFinal(piece.state))
            return refuse(STATUS.RCANCELFAIL);
        session.send('cancel_sm_resp', { sequence: pdu.sequence });
        this.tell(sms, piece, receipt('DELETED'), 'after');
    }

    /**
     * A person writes. @param {{from: string, to: string, text: string, account: Account, long?: import('./types.js').Settings['mo_long'], order?: number[], shuffle?: boolean}} mo
     * @returns {Sms}
     */
    receive({ from, to, text, account, long, order }) {
        const how = long ?? this.setting('mo_long', account), { encoding, coding, parts } = write(text, this.setting('alphabet', account));
        const total = how === 'payload' ? 1 : parts.length;
        this.moRef = (this.moRef + 1) & 0xFF;
        const sms = /** @type {Sms} */ ({ id: `sms-mo-${++this.lastId}`, direction: 'in', system_id: account.system_id, address: to, ton: /^[0-9]+$/.test(to) ? (to.length > 8 ? 1 : 3) : 5,
            npi: /^[0-9]+$/.test(to) ? 1 : 0, wa_id: from, text, encoding, data_coding: coding, how, ref: this.moRef, total, pieces: [], at: Date.now(), held: false, statuses: [],
            parts: Array.from({ length: total }, () => ({ taken: 0, unanswered: 0 })) });
        this.host.phone(from);
        this.messages.set(sms.id, sms);
        this.host.put('sms', sms.id, sms);
        this.count('mo');
        this.#bring(sms, false, order);
        this.bus.emit('sms', sms);
        return sms;
    }

    /** To a link of its account, each part that nobody took yet. @param {Sms} sms @param {boolean} isAgain nobody knows what became of the first try @param {number[]} [order] */
    #bring(sms, isAgain, order) {
        const account = this.accounts.get(sms.system_id);
        const wanted = (order ?? [...sms.parts?.keys() ?? []]).filter((index) => sms.parts?.[index]?.taken === 0);
        const pdus = account === undefined ? [] : writeParts(sms, write(sms.text, this.setting('alphabet', account)).parts, this.setting('mo_pdu', account));
        for (const index of pdus.length === 0 ? [] : wanted) {
            const part = /** @type {NonNullable<Sms['parts']>} */ (sms.parts)[index];
            part.unanswered += isAgain ? 1 : 0;
            this.enqueue(sms.system_id, pdus[index], (isTaken, isAnswered) => {
                part.taken += isTaken ? 1 : 0;
                part.unanswered += isAnswered ? 0 : 1;
                this.host.put('sms', sms.id, sms);
            });
        }
    }

    /** Nothing waits for a link or an answer. */
    isIdle() {
        return [...this.queues.values()].every((queue) => queue.length === 0) && [...this.links].every((link) => link.asked.size === 0 && link.waiting === 0);
    }

    /** Stops: nothing is kept of what happens after it. */
    close() {
        this.clear();
        this.host = noHost();
    }

    clear() {
        for (const timer of this.timers)
            clearTimeout(timer);
        this.timers.clear();
    }
}
