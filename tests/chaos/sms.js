// @ts-check
/**
 * Short messages in a storm: a sender with two operators, each behind a network of its own, what goes out and what people write, and
 * what goes wrong with it. Each message has a recipient of its own, so that what the operators took can be held against it part by part.
 */
import { read, write } from '../../sandbox/smsc/alphabet.js';
import { freePort, until } from '../integration/support.js';
import { signalAll } from './database.js';
import { Proxy } from './proxy.js';

const CATEGORIES = ['otp', 'transactional', 'service', 'promotional'];
const SENDER = '56161';
/** The links, how each cuts long texts. */
const OPERATORS = /** @type {const} */ ([['op-a', 'udh-8'], ['op-b', 'sar']]);
const OUTSTANDING_MAX = 100;
const A_SECOND = 9;
const PARTS_WAIT_S = 600; /* so long parts of what somebody wrote wait for the others: docs/sms.md */
const FINAL = ['DELIVRD', 'EXPIRED', 'DELETED', 'UNDELIV', 'REJECTD'];
const BODIES = ['Your code is 4711.', 'Dein Code: 4711 – gültig 5 Minuten für €0.', 'आपका कोड 4711 है।', 'Die Lieferung kommt heute zwischen zwölf und eins. '.repeat(6), 'आपका ऑर्डर आज दोपहर बारह बजे तक पहुँच जाएगा। '.repeat(5)];
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @typedef {import('./random.js').Random} Random */
/** @typedef {import('./disturbances.js').Disturbance} Disturbance */
/** @typedef {import('./traffic.js').Accepted & {to: string, body: string}} AcceptedSms */

/** What befalls a few submits, or binds. @type {[number, (random: Random) => object][]} */
const FAULTS = [
    [5, (random) => ({ effect: { status: random.pick([88, 88, 20]) } })],
    [3, (random) => ({ effect: { status: random.pick([8, 69, 1025]) } })],
    [1, () => ({ effect: { status: 11 } })],
    [4, () => ({ effect: { answer: 'none' } })],
    [2, () => ({ effect: { answer: 'none', lost: true } })],
    [4, () => ({ effect: { answer: 'cut' } })],
    [3, () => ({ effect: { answer: 'cut', lost: true } })],
    [2, () => ({ effect: { answer: 'torn' } })],
    [2, () => ({ effect: { answer: 'bare' } })],
    [2, () => ({ effect: { answer: 'nack', lost: true } })],
    [2, (random) => ({ effect: { answer: random.pick(['twice', 'stray']) } })],
    [3, (random) => ({ effect: { latency_ms: random.whole(200, 4000) } })],
    [4, (random) => ({ effect: { when: random.pick(['early', 'early', 'twice', 'never']) } })],
    [3, (random) => ({ effect: { receipts: [{ stat: 'DELIVRD', after_ms: random.whole(500, 6000) }] } })],
    [2, (random) => ({ effect: { receipts: [{ stat: random.pick(['UNDELIV', 'EXPIRED', 'REJECTD']), err: '011' }] } })],
    [2, () => ({ effect: { receipts: [{ stat: 'DELIVRD' }, { stat: 'UNDELIV', err: '001' }] } })],
    [2, (random) => ({ on: 'bind', effect: random.pick([{ status: 13 }, { answer: 'none' }, { answer: 'cut' }]) })],
];

/** @param {number} which @returns {Disturbance} */
const network = (which) => ({ name: `network smsc - operator ${which + 1}`, weight: 4, strike: async (storm, random) => {
    const proxy = storm.sms.networks[which];
    proxy.set(random.pick(/** @type {const} */ (['cut', 'stall', 'deaf', 'drip'])));
    return { for_ms: random.whole(100, 3000), undo: () => proxy.set('pass') };
} });

/** What the operators' hand does. @type {Disturbance[]} */
export const OF_OPERATORS = [
    network(0),
    network(1),
    { name: 'operator faults', weight: 14, strike: async (storm, random) => {
        await storm.control('POST', '/smsc/faults', { times: random.whole(1, 8), every: random.whole(1, 3), ...random.weighted(FAULTS)(random) });
        return null;
    } },
    { name: 'operator drops links', weight: 4, strike: async (storm, random) => {
        await storm.control('POST', '/smsc/drops', { how: random.pick(['rst', 'fin', 'unbind', 'torn']), ...(random.chance(0.5) ? { system_id: random.pick(OPERATORS)[0] } : {}) });
        return null;
    } },
    { name: 'operator is slow', weight: 3, strike: async (storm, random) => {
        await storm.control('PATCH', '/smsc/settings', random.pick([{ latency_ms: 300, latency_jitter_ms: 900 }, { throughput_per_second: 4 }, { window_max: 2 }, { receipt_delay_ms: 4000 }, { receipt_when: 'early' }]));
        return { for_ms: random.whole(1000, 4000), undo: () => storm.control('PATCH', '/smsc/settings', USUAL) };
    } },
    { name: 'kill -9 smsc', weight: 4, strike: async (storm) => {
        signalAll(await storm.pids('smsc'), 'SIGKILL');
        return null;
    } },
    { name: 'stall smsc', weight: 2, strike: async (storm, random) => {
        const pids = await storm.pids('smsc');
        signalAll(pids, 'SIGSTOP');
        return { for_ms: random.whole(200, 6000), undo: () => signalAll(pids, 'SIGCONT') };
    } },
];
const USUAL = { latency_ms: 5, latency_jitter_ms: 30, throughput_per_second: 0, window_max: 0, receipt_delay_ms: 150, receipt_when: 'after' };

export class Sms {
    /** @param {import('./storm.js').Storm} storm */
    constructor(storm) {
        this.storm = storm;
        /** @type {Proxy[]} */
        this.networks = [];
        /** @type {AcceptedSms[]} */
        this.accepted = [];
        /** What people wrote. @type {{id: string, from: string, body: string}[]} */
        this.written = [];
        /** @type {string[]} */
        this.connectors = [];
    }

    /** What the provider is started with, besides. */
    async sandboxArgs() {
        this.port = await freePort();
        return ['--smsc', `127.0.0.1:${this.port}`, '--smsc-set', 'clock_minutes=0', '--smsc-set', 'deliver_retry_ms=300', '--smsc-set', 'deliver_timeout_ms=4000',
            ...Object.entries(USUAL).flatMap(([name, value]) => ['--smsc-set', `${name}=${value}`])];
    }

    /** A sender of the shop, and its operators. @param {any} shop */
    async connect(shop) {
        const { storm } = this, { client } = shop;
        this.shop = shop;
        await client.must(200, 'PATCH', '/v1/settings/policy', { consent: { sms: { promotional: 'unless-withdrawn' } } });
        this.channel = (await client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'Short', sms: { sender: SENDER, sender_kind: 'short-code' } })).id;
        for (const [i, [id, joining]] of OPERATORS.entries()) {
            this.networks.push(await new Proxy('127.0.0.1', Number(this.port)).start());
            const { status, text } = await storm.control('POST', '/smsc/accounts', { system_id: id, password: 'secret', numbers: [SENDER] });
            if (status !== 200)
                throw new Error(`the message centre refused the account: ${text}`);
            const made = await client.must(201, 'POST', '/v1/sms/connectors', { name: id, host: '127.0.0.1', port: this.networks[i].port, tls: false, system_id: id, password: 'secret', per_second: 300, answer_s: 5, enquire_s: 5,
                encoding: { joining }, binds: { transceivers: 2 }, receipts: { zone_minutes: 0 } });
            await client.must(201, 'POST', '/v1/sms/routes', { connector_id: made.id, priority: i });
            this.connectors.push(made.id);
        }
        await until(() => this.areBound(), 'the operators to be bound');
    }

    async areBound() {
        for (const id of this.connectors) {
            const { links } = await this.shop.client.must(200, 'GET', `/v1/sms/connectors/${id}`);
            if (links.length === 0 || !links.every((/** @type {any} */ { state }) => state === 'bound'))
                return false;
        }
        return true;
    }

    /** @param {number} untilMs */
    async run(untilMs) {
        await Promise.all([this.#load(untilMs), this.#people(untilMs)]);
    }

    /** @param {number} untilMs */
    async #load(untilMs) {
        const { storm } = this, random = storm.random.fork('short messages');
        /** @type {Set<Promise<unknown>>} */
        const outstanding = new Set();
        for (let i = 0; Date.now() < untilMs; i++) {
            const one = this.#one(i, random.fork(`short ${i}`)).catch((error) => storm.findings.push(`sms ${i}: ${error.stack}`));
            outstanding.add(one);
            void one.finally(() => outstanding.delete(one));
            await pause((1000 / A_SECOND) * (0.5 + random.next()));
            while (outstanding.size >= OUTSTANDING_MAX)
                await Promise.race(outstanding);
        }
        await Promise.all(outstanding);
    }

    /** By SMS, or by WhatsApp to somebody whom that does not reach, and then by SMS. @param {number} i @param {Random} random */
    async #one(i, random) {
        const { shop, storm } = this, reference = `sms-${i}`, to = `+49151${String(20_000_000 + i)}`, isFallback = random.chance(0.15);
        const body = `${random.pick(BODIES)} [${i}]`, content = { type: 'text', text: { body } }, category = random.pick(CATEGORIES);
        const fallback = isFallback ? [{ channel_id: this.channel, content }] : undefined;
        if (isFallback)
            await storm.control('POST', '/faults', { match: { to: to.slice(1) }, times: null, effect: random.pick([{ kind: 'error', code: 131026 }, { kind: 'statuses', fail: 131026 }]) });
        const accepted = await storm.traffic.send(isFallback ? 'fallback' : 'sms', shop, { channel_id: isFallback ? shop.channel : this.channel, to, category, reference, content, fallback }, random.chance(0.05));
        this.accepted.push(Object.assign(accepted, { to: to.slice(1), body }));
    }

    /** @param {number} untilMs */
    async #people(untilMs) {
        const { storm } = this, random = storm.random.fork('people');
        for (let i = 0; Date.now() < untilMs; i++) {
            await pause(random.whole(200, 900));
            const body = `${random.pick(BODIES)} (${i})`, from = `49171${30_000_000 + i}`;
            const { status, json, text } = await storm.control('POST', '/smsc/mo', { from, to: SENDER, system_id: random.pick(OPERATORS)[0], text: body, long: random.pick(['udh8', 'udh16', 'sar', 'payload']),
                ...(random.chance(0.3) && write(body, 'gsm').parts.length === 2 ? { order: [1, 0] } : {}) });
            if (status === 200)
                this.written.push({ id: json.id, from, body });
            else
                storm.findings.push(`the message centre did not take what ${i} wrote: ${text}`);
        }
    }

    async calm() {
        await this.storm.control('DELETE', '/smsc/faults');
        await this.storm.control('PATCH', '/smsc/settings', USUAL);
        this.networks.forEach((each) => each.set('pass'));
    }

    stop() {
        this.networks.forEach((each) => each.stop());
    }

    /** Whether a clock may have said of parts that the others come no more. */
    isTorn() {
        return this.storm.skews.some(({ ahead_s: ahead }) => Math.abs(ahead) >= PARTS_WAIT_S);
    }

    /**
     * What still moves, with what else does. Receipts that were put off by a clock that was ahead would wait for hours, others for minutes; so would the rest of
     * what somebody wrote where a clock said that the others come no more: they are told once no operator owes a part.
     */
    async waiting() {
        const { json } = await this.storm.control('GET', '/smsc/owed');
        this.storm.sql("update harkara.sms_receipt_parked set due_at = now() where due_at > now() + interval '15 s'");
        if (this.isTorn() && json.owed === 0)
            this.storm.sql(`update harkara.sms_fragment set received_at = now() - interval '${PARTS_WAIT_S + 1} s' where received_at > now() - interval '${PARTS_WAIT_S} s'`);
        const [fragments, parked, guessed] = this.storm.sql(`select (select count(*) from (select from harkara.sms_fragment group by tenant_id, connector_id, channel_id, peer_index, reference, part_count
                having count(*) = part_count or min(received_at) < now() - interval '${PARTS_WAIT_S} s') w),
            (select count(*) from harkara.sms_receipt_parked r join harkara.sms_part p on p.tenant_id = r.tenant_id and p.connector_id = r.connector_id and p.provider_id = r.provider_id),
            (select count(*) from harkara.sms_receipt_parked r where exists (select from harkara.sms_part p join harkara.message m on m.tenant_id = p.tenant_id and m.id = p.message_id
                where p.tenant_id = r.tenant_id and p.connector_id = r.connector_id and p.state = 'unknown' and m.peer_index = r.peer_index))`).split('|').map(Number);
        return { fragments, parked, guessed, owed_by_operators: json.owed };
    }
}

/** @param {import('./storm.js').Storm} storm @param {string} query @returns {any[]} */
const rows = (storm, query) => JSON.parse(storm.sql(`select coalesce(json_agg(r), '[]') from (${query}) r`));
const canonical = (/** @type {string} */ id) => id.toLowerCase().replace(/^0+(?=.)/, '');

/** @param {import('./storm.js').Storm} storm @param {Map<string, any>} mine messages by id, as stored */
export async function judgeSms(storm, mine) {
    const { sms, findings } = storm, figures = { 'sms accepted': sms.accepted.length, 'sms parts taken': 0, 'sms parts twice': 0, 'sms uncertain': 0, 'sms uncertain in the end': 0, 'sms delivered': 0, 'sms failed': 0, 'sms fell back': 0,
        'sms written': 0, 'sms written lost': 0, 'sms written twice': 0, 'sms parts left over': 0, 'sms lost': 0, 'sms twice without cause': 0, 'sms receipts not applied': 0 };
    const find = (/** @type {keyof typeof figures} */ figure, /** @type {string} */ text) => {
        figures[figure]++;
        findings.push(`${figure}: ${text}`);
    };
    const { json } = await storm.control('GET', '/smsc/messages?limit=10000');
    if (json.total > json.data.length)
        findings.push('the message centre has more than it lists: the account is not whole');
    /** @type {Map<string, any[]>} */
    const takes = new Map();
    for (const each of json.data.filter((/** @type {any} */ { direction }) => direction === 'out'))
        takes.set(each.wa_id, [...takes.get(each.wa_id) ?? [], ...each.pieces.map((/** @type {any} */ piece) => ({ ...piece, total: each.total, encoding: each.encoding, at_operator: each.system_id }))]);
    const parts = new Map();
    for (const row of rows(storm, `select message_id, sender, part, part_count, provider_id, state from harkara.sms_part order by part`))
        parts.set(row.message_id, [...parts.get(row.message_id) ?? [], row]);
    for (const one of sms.accepted) {
        const row = mine.get(one.id);
        if (row !== undefined) /* else it is told as lost already */
            judgeOne(one, row, takes.get(one.to) ?? [], parts.get(row.id) ?? [], figures, find);
        takes.delete(one.to);
    }
    for (const [to, list] of takes)
        findings.push(`operators took ${list.length} parts for ${to}, to whom nobody sent`);
    judgeWritten(storm, new Map(json.data.map((/** @type {any} */ each) => [each.id, each])), figures, find);
    figures['sms parts left over'] = Number(storm.sql('select count(*) from harkara.sms_fragment'));
    return figures;
}

/**
 * @param {AcceptedSms} one @param {any} row @param {any[]} taken parts, as operators took them @param {any[]} known parts, as they are recorded
 * @param {any} figures @param {(figure: any, text: string) => void} find
 */
function judgeOne(one, row, taken, known, figures, find) {
    const counts = new Map(), isShort = one.kind === 'sms' || Number(row.sender) > 0;
    for (const { seq } of taken)
        counts.set(seq, (counts.get(seq) ?? 0) + 1);
    const again = Math.max(0, ...[...counts.values()].map((count) => count - 1));
    const what = `${one.kind} ${one.reference} ${one.id} ${row.category} ${row.status} ${row.error_code ?? ''}, ${row.attempt_count} attempts, ${row.uncertain} times uncertain; taken: ${taken.map(({ id, seq, total, at_operator: by, receipts }) =>
        `${by} ${seq}/${total} ${id} [${receipts.map((/** @type {any} */ { stat, taken: isTaken }) => `${stat}${isTaken ? '' : ' untaken'}`)}]`).join(' ') || 'nothing'}; recorded: ${known.map(({ part, part_count: count, provider_id: id, state }) => `${part}/${count} ${id} ${state}`).join(' ') || 'nothing'}`;
    figures['sms parts taken'] += taken.length;
    figures['sms uncertain'] += Number(row.uncertain) > 0 ? 1 : 0;
    figures['sms delivered'] += row.status === 'delivered' ? 1 : 0;
    figures['sms failed'] += row.status === 'failed' ? 1 : 0;
    figures['sms fell back'] += Number(row.sender) > 0 ? 1 : 0;
    if (again > 0) {
        figures['sms parts twice'] += [...counts.values()].reduce((sum, count) => sum + count - 1, 0);
        if (again > Number(row.uncertain) || row.category === 'promotional')
            find('sms twice without cause', what);
    }
    if (!isShort) {
        if (taken.length > 0)
            find('sms twice without cause', `it is WhatsApp's still: ${what}`);
        return;
    }
    const mayStay = row.category === 'promotional';
    if (row.status === 'uncertain')
        figures['sms uncertain in the end']++;
    if (!['sent', 'delivered', 'failed', ...(mayStay ? ['uncertain'] : [])].includes(row.status))
        find('sms lost', what);
    else if (row.status === 'failed' && row.error_class !== 'permanent' && row.attempt_count < 12)
        find('sms lost', `given up without cause: ${what}`);
    if (['sent', 'delivered'].includes(row.status)) {
        const total = Math.max(0, ...taken.map((piece) => piece.total)), first = Array.from({ length: total }, (_, i) => taken.find(({ seq }) => seq === i + 1));
        if (total === 0 || first.includes(undefined))
            find('sms lost', `not all of its parts were taken: ${what}`);
        else if (read(Buffer.concat(first.map(({ octets }) => Buffer.from(octets, 'hex'))), first[0].encoding) !== one.body)
            find('sms lost', `its text is another: ${what}`);
        /* Also where smsc was killed: it is not sent before each of its parts is known to be. */
        if (known.filter(({ sender }) => sender === Number(row.sender)).length !== total)
            find('sms lost', `not all of its parts are recorded: ${what}`);
    }
    judgeReceipts(row, taken, known, what, find);
}

/** What an operator was told to have been taken of it, is applied. @param {any} row @param {any[]} taken @param {any[]} known @param {string} what @param {(figure: any, text: string) => void} find */
function judgeReceipts(row, taken, known, what, find) {
    const ends = (/** @type {any} */ piece) => piece.receipts.filter((/** @type {any} */ { stat, taken: isTaken }) => isTaken && FINAL.includes(stat)).map((/** @type {any} */ { stat }) => stat);
    for (const { provider_id: id, state, part } of known) {
        const piece = taken.find((each) => id !== null && canonical(each.id) === id), told = piece === undefined ? [] : ends(piece);
        if (told.length > 0 && !['delivered', 'failed'].includes(state) || state === 'delivered' && !told.includes('DELIVRD') || state === 'failed' && told.length > 0 && told.every((/** @type {string} */ stat) => stat === 'DELIVRD'))
            find('sms receipts not applied', `of part ${part}: ${what}`);
        if (state === 'unknown' && taken.some((each) => ends(each).length > 0 && !known.some(({ provider_id: other }) => other === canonical(each.id))))
            find('sms receipts not applied', `of part ${part}, whose answer was lost: ${what}`);
    }
    if (known.length > 0 && known.length === known[0].part_count && known.every(({ state }) => state === 'delivered') && row.status !== 'delivered')
        find('sms receipts not applied', `all parts are delivered, and it is not: ${what}`);
    if (known.every(({ state }) => state !== 'failed') && row.status === 'failed' && String(row.error_code).startsWith('sms-'))
        find('sms receipts not applied', `no part failed, and it did: ${what}`);
}

/** Whether they are this text, all of it, in several messages that say where something is missing. @param {string} body @param {string[]} texts */
function isOfPieces(body, texts) {
    const pieces = texts.flatMap((text) => text.split('...')).filter((piece) => piece !== '');
    const sorted = (/** @type {string} */ text) => [...text].sort().join('');
    return pieces.every((piece) => body.includes(piece)) && sorted(pieces.join('')) === sorted(body);
}

/** What people wrote is there, once, or in pieces where a clock said that the others come no more, unless the operator sent it again without an answer. @param {import('./storm.js').Storm} storm @param {Map<string, any>} centre messages
 * @param {any} figures @param {(figure: any, text: string) => void} find */
function judgeWritten(storm, centre, figures, find) {
    const told = new Map();
    for (const { body } of storm.sms.shop.receiver.received) {
        const { type, data } = JSON.parse(body);
        if (type === 'message.received' && data.channel_id === storm.sms.channel)
            told.set(data.from, new Map(told.get(data.from)).set(data.message_id, data.content?.text?.body));
    }
    const isTorn = storm.sms.isTorn();
    for (const { id, from, body } of storm.sms.written) {
        const { parts } = centre.get(id), texts = [...(told.get(`+${from}`)?.values() ?? [])], unanswered = Math.max(...parts.map((/** @type {any} */ part) => part.unanswered));
        figures['sms written']++;
        if (isTorn && !texts.includes(body) && isOfPieces(body, texts))
            continue;
        if (!texts.includes(body))
            find('sms written lost', `${id} of ${from}: ${JSON.stringify(parts)}, ${texts.length} messages: ${JSON.stringify(texts)}`);
        if (texts.length > 1 + unanswered)
            find('sms written twice', `${id} of ${from}: ${JSON.stringify(parts)}, ${texts.length} messages: ${JSON.stringify(texts)}`);
    }
}
