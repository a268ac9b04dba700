// @ts-check
/** After the storm: what was accepted, what the provider took, what the tenants were told, held against each other. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { judgeSms } from './sms.js';

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

/** When nothing moves: what each session of the database does, whom it waits for, and what is due when. @param {import('./storm.js').Storm} storm */
export function whoWaits(storm) {
    const sessions = rows(storm, `select pid, usename, application_name, state, wait_event_type, wait_event, pg_blocking_pids(pid) as behind, now() - xact_start as transaction,
        now() - state_change as since, left(query, 160) as query from pg_stat_activity where datname = 'harkara' and pid <> pg_backend_pid() order by xact_start`);
    const [due] = rows(storm, `select now(), (select min(due_at) from harkara.provider_batch) as callbacks_from, (select max(due_at) from harkara.provider_batch) as callbacks_to,
        (select json_agg(c) from harkara.consumer_cursor c) as cursors, (select json_agg(l) from (select locktype, objid, pid from pg_locks where locktype = 'advisory') l) as advisory`);
    return [...sessions, due].map((row) => `waits: ${JSON.stringify(row)}`);
}

/** What still moves, in a word; null: nothing. @param {import('./storm.js').Storm} storm */
export async function inTheEnd(storm) {
    const [left] = rows(storm, `select (select count(*) from harkara.dispatch_queue) as queued,
        (select count(*) from harkara.provider_batch) as callbacks,
        (select count(*) from harkara.webhook_delivery where state = 'pending') as deliveries,
        (select count(*) from harkara.provider_task where state in ('waiting', 'leased')) as tasks,
        (select count(*) from harkara.event e, harkara.consumer_cursor c where c.consumer = 'webhooks' and (e.xid, e.id) > (c.xid, c.id)) as events`);
    const { json } = await storm.control('GET', '/counters');
    const waiting = { ...left, owed_by_provider: json['webhooks.waiting'], ...await storm.sms.waiting() };
    return Object.values(waiting).every((count) => Number(count) === 0) ? null : JSON.stringify(waiting);
}

const ASKED_MAX = 20;
const FATES_MAX = 20;
const NOTHING = { accepted: 0, taken: 0, twice: 0, uncertain: 0, expired: 0, canceled: 0, failed: 0 };
/** @typedef {typeof NOTHING} OfKind */

/** @param {import('./storm.js').Storm} storm */
export async function account(storm) {
    const { findings, traffic: { accepted } } = storm;
    const figures = { accepted: accepted.length, repeated: accepted.reduce((sum, { tries }) => sum + tries, 0), taken: 0, lost: 0, twice: 0, 'twice without cause': 0,
        'sent too early': 0, 'sent though canceled': 0, uncertain: 0, 'uncertain in the end': 0, 'refused by provider': 0, 'media uploaded': storm.traffic.uploads, 'media altered': 0,
        inbound: 0, 'inbound lost': 0, 'inbound twice': 0, 'inbound media': 0, 'inbound media lost': 0, 'downloads repeated': 0, 'read marks': 0, 'read marks refused': 0, 'read marks lost': 0,
        events: 0, 'webhook requests': 0, 'events untold': 0, kinds: /** @type {Record<string, OfKind>} */ ({}) };
    const find = (/** @type {Exclude<keyof typeof figures, 'kinds'>} */ figure, /** @type {string} */ text) => {
        figures[figure]++;
        findings.push(`${figure}: ${text}`);
    };
    const there = new Set();
    for (const shop of storm.shops) {
        const mine = new Map(rows(storm, `select m.id, reference, category, status, expires_at is not null as may_expire, error_class, error_code, attempt_count, sender,
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
        if (shop === storm.sms.shop)
            Object.assign(figures, await judgeSms(storm, mine));
        figures.taken += [...takes.values()].reduce((sum, list) => sum + list.length, 0);
        for (const one of ours.filter(({ kind, id }) => kind !== 'sms' && Number(mine.get(id).sender) === 0)) /* others: judgeSms */
            judge(storm, one, mine.get(one.id), takes.get(one.id) ?? [], figures, find);
        await judgeSentMedia(storm, shop, ours, takes, find);
        for (const id of takes.keys())
            if (!mine.has(id))
                findings.push(`the provider took ${id}, which nobody sent`);
        if (mine.size !== ours.length)
            findings.push(`${mine.size} messages stored, ${ours.length} accepted`);
        await judgeInbound(storm, shop, figures, find);
        await judgeInboundMedia(storm, shop, figures, find);
        await judgeReadMarks(storm, shop, figures, find);
        judgeEvents(storm, shop, figures, find);
    }
    for (const { id, reference } of accepted)
        if (!there.has(id))
            find('lost', `${reference} ${id} was accepted and is not there`);
    const failed = Number(storm.sql("select count(*) from harkara.provider_event where error is not null"));
    if (failed > 0)
        findings.push(`${failed} callback bodies were given up`);
    judgeLog(storm);
    return figures;
}

/**
 * @param {import('./storm.js').Storm} storm @param {import('./traffic.js').Accepted} one @param {any} row the message @param {any[]} takes what the provider took of it
 * @param {any} figures @param {(figure: any, text: string) => void} find
 */
function judge(storm, one, row, takes, figures, find) {
    const ofKind = (figures.kinds[one.kind] ??= { ...NOTHING });
    ofKind.accepted++;
    ofKind.taken += takes.length;
    ofKind.twice += Math.max(0, takes.length - 1);
    ofKind.uncertain += Number(row.uncertain) > 0 ? 1 : 0;
    for (const status of /** @type {const} */ (['expired', 'canceled', 'failed']))
        ofKind[status] += row.status === status ? 1 : 0;
    const what = `${one.kind} ${one.reference} ${one.id} ${row.category} ${row.status} ${row.error_code ?? ''}, ${row.attempt_count} attempts, ${row.uncertain} times uncertain, taken ${takes.length} times`;
    const isEnded = ['read', 'delivered', 'failed', 'uncertain', ...(one.may_expire ? ['expired'] : []), ...(one.is_canceled ? ['canceled'] : [])].includes(row.status);
    /* Left as it is when nobody knows: by its category's rule, or because its time was over. */
    const mayStayUncertain = row.category === 'promotional' || one.may_expire;
    const early = takes.filter(({ at }) => one.not_before !== undefined && at < one.not_before);
    if (early.length > 0 && !storm.skews.some(({ from, to, ahead_s }) => ahead_s > 0 && from <= early[0].at && to >= one.asked_at))
        find('sent too early', `${what}, ${one.not_before - early[0].at} ms before its time`);
    if (one.is_canceled && takes.length > 0)
        find('sent though canceled', what);
    if (one.is_canceled && row.status !== 'canceled')
        find('lost', `its cancel was acknowledged: ${what}`);
    figures.uncertain += Number(row.uncertain) > 0 ? 1 : 0;
    if (row.status === 'uncertain')
        figures['uncertain in the end']++;
    if (row.status === 'failed')
        figures['refused by provider']++;
    if (!isEnded)
        find('lost', what);
    else if (takes.length === 0 && !['failed', 'expired', 'canceled'].includes(row.status) && !(row.status === 'uncertain' && mayStayUncertain))
        find('lost', what);
    else if (row.status === 'failed' && row.error_class !== 'permanent' && row.attempt_count < 12)
        find('lost', `given up without cause: ${what}`);
    if (takes.length > 1) {
        figures.twice += takes.length - 1;
        if (takes.length - 1 > Number(row.uncertain) || row.category === 'promotional')
            find('twice without cause', what);
    }
    if (takes.length > 0 && row.status === 'expired')
        find('lost', `taken and reported, and expired: ${what}`);
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

/** What the provider took for our media is what was uploaded. @param {import('./storm.js').Storm} storm @param {any} shop
 * @param {import('./traffic.js').Accepted[]} ours @param {Map<string, any[]>} takes @param {(figure: any, text: string) => void} find */
async function judgeSentMedia(storm, shop, ours, takes, find) {
    const digests = new Map();
    for (const one of ours.filter(({ media_sha256: digest }) => digest !== undefined))
        for (const { content } of takes.get(one.id) ?? []) {
            if (!digests.has(content.id))
                digests.set(content.id, (await (await fetch(`${storm.provider?.url}/v25.0/${content.id}`, { headers: { authorization: `Bearer ${shop.account.access_token}` } })).json()).sha256);
            if (digests.get(content.id) !== one.media_sha256)
                find('media altered', `${one.reference} ${one.id} names ${content.id}, which is ${digests.get(content.id)} and not ${one.media_sha256}`);
        }
}

/** As a client does, who asks again when something is away for a moment. @param {import('./storm.js').Storm} storm @param {any} shop @param {string} id @param {any} figures */
async function download(storm, shop, id, figures) {
    for (let tries = 1; ; tries++) {
        const answer = await fetch(`${storm.platform?.url}/v1/media/${id}/content`, { headers: { authorization: `Bearer ${shop.key}` } });
        const bytes = Buffer.from(await answer.arrayBuffer());
        if (answer.status !== 503 || tries === ASKED_MAX)
            return { status: answer.status, bytes };
        storm.options.say(`${id}: 503 ${bytes.toString()}`);
        figures['downloads repeated']++;
        await new Promise((resolve) => setTimeout(resolve, 500));
    }
}

/** What people sent is here, and opens to the same bytes. @param {import('./storm.js').Storm} storm @param {any} shop @param {any} figures
 * @param {(figure: any, text: string) => void} find */
async function judgeInboundMedia(storm, shop, figures, find) {
    const stored = new Map(rows(storm, `select a.id, a.state, a.provider_id, encode(a.sha256, 'hex') as sha256 from harkara.media a join harkara.tenant t using (tenant_id)
        where t.slug = '${shop.slug}' and a.direction = 'in'`).map((row) => [row.provider_id, row]));
    for (const { provider_id: theirs, sha256 } of storm.traffic.inboundMedia.filter((one) => one.shop === shop)) {
        figures['inbound media']++;
        const row = stored.get(theirs);
        if (row?.state !== 'ready' || row.sha256 !== sha256) {
            find('inbound media lost', `${theirs}: ${JSON.stringify(row ?? null)}`);
            continue;
        }
        const { status, bytes } = await download(storm, shop, idText('med_', row.id), figures);
        if (status !== 200)
            find('inbound media lost', `${theirs} does not come out: ${status} ${bytes.toString()}`);
        else if (createHash('sha256').update(bytes).digest('hex') !== sha256)
            find('media altered', `${theirs} comes out as something else`);
    }
}

/** What was acknowledged came to an end; what succeeded, the provider knows. @param {import('./storm.js').Storm} storm @param {any} shop @param {any} figures
 * @param {(figure: any, text: string) => void} find */
async function judgeReadMarks(storm, shop, figures, find) {
    const tasks = new Map(rows(storm, `select k.id, k.state, k.error_code, k.error_class, m.provider_id from harkara.provider_task k join harkara.tenant t using (tenant_id)
        join harkara.message m on m.tenant_id = k.tenant_id and m.id = k.subject_id where t.slug = '${shop.slug}' and k.kind = 'message.mark_read'`).map((row) => [idText('opr_', row.id), row]));
    const { json } = await storm.control('GET', `/messages?direction=in&phone_number_id=${shop.account.phone_number_id}&limit=10000`);
    const read = new Set(json.data.filter(({ statuses }) => statuses.some(({ status }) => status === 'read')).map(({ id }) => id));
    for (const { operation, message } of storm.traffic.readMarks.filter((one) => one.shop === shop)) {
        figures['read marks']++;
        const task = tasks.get(operation);
        if (task?.state === 'failed' && task.error_code !== null)
            figures['read marks refused']++;
        else if (task?.state !== 'done' || !read.has(task.provider_id))
            find('read marks lost', `${operation} of ${message}: ${JSON.stringify(task ?? null)}`);
    }
}

/** Every event reached the tenant at least once, signed, under one id, byte for byte the same. @param {import('./storm.js').Storm} storm @param {any} shop
 * @param {Record<string, number>} figures @param {(figure: any, text: string) => void} find */
function judgeEvents(storm, shop, figures, find) {
    const events = rows(storm, `select e.id, e.type from harkara.event e join harkara.tenant t using (tenant_id) where t.slug = '${shop.slug}' and (e.type like 'message.%' or e.type like 'media.%')`);
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
    for (const { id, type } of events.filter((one) => !shop.eventsBefore.has(one.id))) {
        figures.events++;
        if (!shop.receiver.acknowledged.has(idText('evt_', id)))
            find('events untold', `${type} ${idText('evt_', id)} ${figures['events untold'] < FATES_MAX ? JSON.stringify(rows(storm, fateOfEvent(id))) : ''}`);
    }
}

/** What became of an event: its place in the log, the one to which all has been told, and its deliveries. @param {string} id */
const fateOfEvent = (id) => `select e.xid, e.occurred_at, c.xid as told_to, c.id as and_event, d.state, d.attempt, d.fence, d.created_at, d.finished_at, d.event_id is null as has_none
    from harkara.event e join harkara.consumer_cursor c on c.consumer = 'webhooks' left join harkara.webhook_delivery d on d.tenant_id = e.tenant_id and d.event_id = e.id where e.id = '${id}'`;

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
