// @ts-check
/** After the storm: what was accepted, what the provider took, what the tenants were told, held against each other. */
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const WOUNDS = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGSYS'];
const NUMBERS = { SIGILL: 4, SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGSEGV: 11, SIGSYS: 31 };

/** A UUID as the API writes it. @param {string} prefix @param {string} uuid */
function idText(prefix, uuid) {
    let number = BigInt(`0x${uuid.replaceAll('-', '')}`), text = '';
    for (let i = 0; i < 26; i++, number >>= 5n)
        text = DIGITS[Number(number & 31n)] + text;
    return prefix + text;
}

/** @param {import('./storm.js').Storm} storm @param {string} query @returns {any[]} */
function rows(storm, query) {
    return JSON.parse(storm.sql(`select coalesce(json_agg(r), '[]') from (${query}) r`));
}

/** What still moves, in a word; null: nothing. @param {import('./storm.js').Storm} storm */
export async function inTheEnd(storm) {
    const [left] = rows(storm, `select (select count(*) from harkara.dispatch_queue) as queued,
        (select count(*) from harkara.provider_event where state = 'stored') as callbacks,
        (select count(*) from harkara.webhook_delivery where state = 'pending') as deliveries,
        (select count(*) from harkara.event e, harkara.consumer_cursor c where c.consumer = 'webhooks' and (e.xid, e.id) > (c.xid, c.id)) as events`);
    const { json } = await storm.control('GET', '/counters');
    const waiting = { ...left, owed_by_provider: json['webhooks.waiting'] };
    return Object.values(waiting).every((count) => Number(count) === 0) ? null : JSON.stringify(waiting);
}

/** @param {import('./storm.js').Storm} storm */
export async function account(storm) {
    const { findings, accepted } = storm;
    const figures = { accepted: accepted.length, repeated: accepted.reduce((sum, { tries }) => sum + tries, 0), taken: 0, lost: 0, twice: 0, 'twice without cause': 0,
        uncertain: 0, 'uncertain in the end': 0, 'refused by provider': 0, inbound: 0, 'inbound lost': 0, 'inbound twice': 0, events: 0, 'webhook requests': 0, 'events untold': 0 };
    const find = (/** @type {keyof typeof figures} */ figure, /** @type {string} */ text) => {
        figures[figure]++;
        findings.push(`${figure}: ${text}`);
    };
    const there = new Set();
    for (const shop of storm.shops) {
        const mine = new Map(rows(storm, `select m.id, reference, category, status, error_class, error_code, attempt_count,
            (select count(*) from harkara.event e where e.tenant_id = m.tenant_id and e.subject_id = m.id and e.type = 'message.uncertain') as uncertain
            from harkara.message m join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' and m.direction = 'out'`).map((row) => [idText('msg_', row.id), row]));
        const { json: sent } = await storm.control('GET', `/messages?direction=out&phone_number_id=${shop.account.phone_number_id}&limit=10000`);
        const takes = new Map();
        for (const message of sent.data)
            takes.set(message.biz_opaque_callback_data, [...(takes.get(message.biz_opaque_callback_data) ?? []), message]);
        if (sent.total > sent.data.length)
            findings.push('the provider has more messages than it lists: the account is not whole');
        mine.forEach((_, id) => there.add(id));
        const ours = accepted.filter(({ id }) => mine.has(id));
        figures.taken += [...takes.values()].reduce((sum, list) => sum + list.length, 0);
        for (const { id, reference } of ours)
            judge(mine.get(id), takes.get(id) ?? [], `${reference} ${id}`, figures, find);
        for (const id of takes.keys())
            if (!mine.has(id))
                findings.push(`the provider took ${id}, which nobody sent`);
        if (mine.size !== ours.length)
            findings.push(`${mine.size} messages stored, ${ours.length} accepted`);
        await judgeInbound(storm, shop, figures, find);
        judgeEvents(storm, shop, figures, find);
    }
    for (const { id, reference } of accepted)
        if (!there.has(id))
            find('lost', `${reference} ${id} was accepted and is not there`);
    const failed = Number(storm.sql("select count(*) from harkara.provider_event where state = 'failed'"));
    if (failed > 0)
        findings.push(`${failed} callback bodies were given up`);
    judgeLog(storm);
    return figures;
}

/**
 * @param {any} row the message @param {any[]} takes what the provider took of it @param {string} name
 * @param {Record<string, number>} figures @param {(figure: any, text: string) => void} find
 */
function judge(row, takes, name, figures, find) {
    const what = `${name} ${row.category} ${row.status} ${row.error_code ?? ''}, ${row.attempt_count} attempts, ${row.uncertain} times uncertain, taken ${takes.length} times`;
    const isEnded = ['read', 'delivered', 'failed', 'uncertain'].includes(row.status);
    figures.uncertain += Number(row.uncertain) > 0 ? 1 : 0;
    if (row.status === 'uncertain')
        figures['uncertain in the end']++;
    if (row.status === 'failed')
        figures['refused by provider']++;
    if (!isEnded)
        find('lost', what);
    else if (takes.length === 0 && row.status !== 'failed' && !(row.status === 'uncertain' && row.category === 'promotional'))
        find('lost', what);
    else if (row.status === 'failed' && row.error_class !== 'permanent' && row.attempt_count < 12)
        find('lost', `given up without cause: ${what}`);
    if (takes.length > 1) {
        figures.twice += takes.length - 1;
        if (takes.length - 1 > Number(row.uncertain) || row.category === 'promotional')
            find('twice without cause', what);
    }
    if (takes.length > 0 && row.status === 'uncertain')
        find('lost', `taken and reported, and still uncertain: ${what}`);
}

/** @param {import('./storm.js').Storm} storm @param {any} shop @param {Record<string, number>} figures @param {(figure: any, text: string) => void} find */
async function judgeInbound(storm, shop, figures, find) {
    const { json } = await storm.control('GET', `/messages?direction=in&phone_number_id=${shop.account.phone_number_id}&limit=10000`);
    const stored = new Map(rows(storm, `select provider_id, count(*) as n, (select count(*) from harkara.event e where e.tenant_id = m.tenant_id
        and e.subject_id = any(array_agg(m.id)) and e.type = 'message.received') as told from harkara.message m join harkara.tenant t using (tenant_id)
        where t.slug = '${shop.slug}' and m.direction = 'in' group by m.tenant_id, provider_id`).map((row) => [row.provider_id, row]));
    for (const { id } of json.data) {
        figures.inbound++;
        const row = stored.get(id);
        if (row === undefined)
            find('inbound lost', id);
        else if (Number(row.n) !== 1 || Number(row.told) !== 1)
            find('inbound twice', `${id}: ${row.n} messages, ${row.told} events`);
    }
}

/** Every event reached the tenant at least once, signed, under one id, byte for byte the same. @param {import('./storm.js').Storm} storm @param {any} shop
 * @param {Record<string, number>} figures @param {(figure: any, text: string) => void} find */
function judgeEvents(storm, shop, figures, find) {
    const events = rows(storm, `select e.id, e.type from harkara.event e join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' and e.type like 'message.%'`);
    const verifier = new Webhook(shop.secret);
    const bodies = new Map();
    figures['webhook requests'] += shop.receiver.received.length;
    for (const { headers, body } of shop.receiver.received) {
        const id = headers['webhook-id'];
        if (bodies.has(id) && bodies.get(id) !== body)
            storm.findings.push(`${id} was told twice, and not in the same words`);
        bodies.set(id, body);
    }
    for (const { headers, body } of shop.receiver.received.slice(-300))
        try {
            verifier.verify(body, headers);
        } catch (error) {
            if (!/timestamp/i.test(String(error))) /* older than the verifier allows: the storm was long */
                storm.findings.push(`a webhook's signature: ${error}`);
        }
    for (const { id, type } of events) {
        figures.events++;
        if (!shop.receiver.acknowledged.has(idText('evt_', id)))
            find('events untold', `${type} ${idText('evt_', id)}`);
    }
}

/** No process died by its own fault, and nothing called itself a bug. @param {import('./storm.js').Storm} storm */
function judgeLog(storm) {
    const errors = /** @type {Record<string, number>} */ ({});
    for (const line of readFileSync(/** @type {any} */ (storm.platform).options.logFile, 'utf8').split('\n')) {
        let entry;
        try {
            entry = JSON.parse(line);
        } catch {
            continue;
        }
        if (entry.event === 'bug' || entry.level === 'fatal')
            storm.findings.push(`a bug: ${line}`);
        if (entry.event === 'child.ended' && WOUNDS.some((name) => entry.number === NUMBERS[/** @type {keyof typeof NUMBERS} */ (name)] && entry.how === 'signal'))
            storm.findings.push(`a process died by its own fault: ${line}`);
        if (entry.level === 'error')
            errors[entry.event] = (errors[entry.event] ?? 0) + 1;
    }
    storm.errors = errors;
}
