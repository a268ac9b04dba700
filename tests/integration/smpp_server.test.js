// @ts-check
/** SMPP for workspaces' own software, driven by npm smpp: binds, submits as by the API, receipts, what is refused. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { PERSON, freePort, hold, startPlatform, until } from './support.js';
import { Client as Esme, textOf } from '../sandbox/smsc.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof platform.workspace>>} */
let shop;
let port = 0, listens = '';
before(async () => {
    port = await freePort();
    listens = `127.0.0.1:${port}`;
    platform = await startPlatform({ env: { HARKARA_SMPP_LISTEN: listens } });
    shop = await platform.workspace();
});
after(() => platform?.stop());

const server = () => ({ smsc_url: `smpp://${listens}` });
const DIGITS = PERSON.slice(1);

/** A key of its own with an account. */
async function account(more = {}, key = {}, workspace = shop) {
    const made = await workspace.client.must(201, 'POST', '/v1/api-keys', { name: 'ESME', scopes: ['messages:send'], ...key });
    const shown = await workspace.client.must(200, 'PUT', `/v1/api-keys/${made.id}/smpp`, { channel_id: workspace.channel, ...more });
    return { key: made.id, system_id: shown.system_id, password: shown.password, shown };
}

const bind = (t, of, how = 'transceiver', more = {}) => Esme.open(t, server(), how, { system_id: of.system_id, password: of.password, ...more });
/** The answer; `id` is what the API calls the message. */
const submit = async (esme, fields) => {
    const answer = await esme.submit({ destination_addr: DIGITS, ...fields });
    return Object.assign(answer, { id: `msg_${answer.message_id}` });
};

/** A part of a long message, by a header of 8 bits. */
const header = (total, seq, text, ref = 7) => ({ esm_class: 0x40, short_message: Buffer.concat([Buffer.from([5, 0, 3, ref, total, seq]), Buffer.from(text)]) });
const kept = (what = '*') => platform.sql(`select count(${what}) from harkara.smpp_group`);
/** Receipts that are owed for no message. */
const strays = () => platform.sql('select count(*) from harkara.smpp_receipt r where not exists (select from harkara.message m where m.id = r.message_id)');
/** As if so many seconds had passed since their first part came. */
const age = (seconds = 301) => platform.sql(`update harkara.smpp_group set began_at = began_at - interval '${seconds} seconds'`);

test('the account is shown, its password once', async () => {
    const made = await account({ category: 'otp', binds_max: 2 });
    assert.match(made.password, /^[A-Za-z0-9_-]{8}$/);
    const got = await shop.client.must(200, 'GET', `/v1/api-keys/${made.key}/smpp`);
    assert.deepEqual([got.password, got.system_id, got.category, got.binds_max, got.listens_on], [undefined, made.system_id, 'otp', 2, listens]);
    const again = await shop.client.must(200, 'PUT', `/v1/api-keys/${made.key}/smpp`, { channel_id: shop.channel });
    assert.equal(again.system_id, made.system_id);
    assert.notEqual(again.password, made.password);
    await shop.client.must(204, 'DELETE', `/v1/api-keys/${made.key}/smpp`);
    await shop.client.must(404, 'GET', `/v1/api-keys/${made.key}/smpp`);
    await shop.client.must(404, 'DELETE', `/v1/api-keys/${made.key}/smpp`);
    assert.equal(platform.sql(`select count(*) from harkara.smpp_account where verifier::text like '%${made.password}%'`), '0');
    assert.equal(platform.log().includes(made.password), false);
});

test('a message goes through, and its receipt comes back', async (t) => {
    const made = await account();
    const esme = await bind(t, made);
    assert.equal(esme.bound.system_id, 'harkara');
    const { command_status: status, message_id: number, id } = await submit(esme, { short_message: 'Your order is on its way', registered_delivery: 1 });
    assert.equal(status, 0);
    const message = await shop.client.follow(id, ['delivered', 'read']);
    assert.deepEqual([message.to, message.category, message.content.text.body], [PERSON, 'transactional', 'Your order is on its way']);
    const [receipt] = await esme.receipts();
    assert.match(textOf(receipt), new RegExp(`^id:${number} .*stat:DELIVRD err:000`));
    assert.deepEqual([receipt.receipted_message_id, receipt.message_state, receipt.source_addr, receipt.destination_addr, receipt.dest_addr_ton], [number, 2, DIGITS, 'HRKARA', 5]);
    await until(() => platform.sql('select count(*) from harkara.smpp_receipt') === '0', 'nothing to be owed any more');
    assert.equal(esme.delivered.length, 1);
});

test('long messages come together in every alphabet', async (t) => {
    const esme = await bind(t, await account());
    const answers = await Promise.all([submit(esme, header(3, 2, 'brave ')), submit(esme, header(3, 1, 'Hello ')), submit(esme, header(3, 3, 'world'))]);
    assert.deepEqual([new Set(answers.map(({ message_id: id }) => id)).size, answers.map(({ command_status: status }) => status)], [1, [0, 0, 0]]);
    const body = async (id) => (await shop.client.must(200, 'GET', `/v1/messages/${id}`)).content.text.body;
    assert.equal(await body(answers[0].id), 'Hello brave world');
    const hindi = 'नमस्ते 🙏 दुनिया', octets = Buffer.from(hindi, 'utf16le').swap16();
    const parts = [octets.subarray(0, 15), octets.subarray(15)]; /* not even at a letter's end */
    const sar = await Promise.all(parts.map((part, index) => submit(esme, { data_coding: 8, short_message: part, sar_msg_ref_num: 300, sar_total_segments: 2, sar_segment_seqnum: index + 1 })));
    assert.equal(await body(sar[1].id), hindi);
    const long = await submit(esme, { short_message: '', message_payload: Buffer.from('x'.repeat(2000)) });
    assert.equal(await body(long.id), 'x'.repeat(2000));
    const gsm = await submit(esme, { short_message: Buffer.from([0x00, 0x1B, 0x65, 0x02]) });
    assert.equal(await body(gsm.id), '@€$');
});

test('each part is answered when it is on disk, before the next one comes', async (t) => {
    const esme = await bind(t, await account());
    const answers = [];
    for (const [seq, text] of [[3, 'world'], [1, 'Hello '], [1, 'Hello '], [2, 'brave ']])
        answers.push(await submit(esme, { ...header(3, seq, text, 21), registered_delivery: seq === 2 ? 1 : 0 }));
    assert.deepEqual([new Set(answers.map(({ id }) => id)).size, answers.map(({ command_status: status }) => status)], [1, [0, 0, 0, 0]]);
    const message = await shop.client.follow(answers[0].id, ['delivered', 'read']);
    assert.equal(message.content.text.body, 'Hello brave world');
    assert.equal((await esme.receipts())[0].receipted_message_id, answers[0].message_id);
    await until(() => kept() === '0', 'nothing to be kept any more');
    assert.equal(platform.sql('select count(*) from harkara.smpp_part'), '0');
});

test('parts are kept over a lost link and a gateway that is killed', async (t) => {
    const made = await account();
    const first = await bind(t, made);
    const { command_status: status, id } = await submit(first, { ...header(2, 1, 'Before, ', 31), registered_delivery: 0 });
    assert.deepEqual([status, kept()], [0, '1']);
    for (const pid of await platform.pids('gateway'))
        process.kill(pid, 'SIGKILL');
    await first.closed;
    const second = await until(() => bind(t, made).catch(() => null), 'the gateway to be back');
    const end = await submit(second, { ...header(2, 2, 'and after', 31), registered_delivery: 0 });
    assert.deepEqual([end.command_status, end.id], [0, id]);
    assert.equal((await shop.client.follow(id, ['delivered', 'read'])).content.text.body, 'Before, and after');
});

test('a reference that is given anew begins another message; the first is told to have failed', async (t) => {
    const esme = await bind(t, await account());
    const old = await submit(esme, { ...header(2, 1, 'never ended', 41), registered_delivery: 1 });
    const [one, two] = [await submit(esme, header(2, 1, 'Another ', 41)), await submit(esme, header(2, 2, 'one', 41))];
    assert.notEqual(one.id, old.id);
    assert.equal(one.id, two.id);
    assert.equal((await shop.client.must(200, 'GET', `/v1/messages/${one.id}`)).content.text.body, 'Another one');
    const [receipt] = await esme.until((list) => list.filter(({ receipted_message_id: of }) => of === old.message_id).length > 0 && list.filter(({ receipted_message_id: of }) => of === old.message_id));
    assert.deepEqual([receipt.message_state, receipt.source_addr, receipt.destination_addr], [3, DIGITS, 'HRKARA']);
    await shop.client.must(404, 'GET', `/v1/messages/${old.id}`);
});

test('parts that stay alone are told to have expired, once; without a receipt they go', async (t) => {
    const esme = await bind(t, await account());
    const wanted = await submit(esme, { ...header(2, 1, 'alone', 51), registered_delivery: 2 });
    await submit(esme, { ...header(2, 1, 'unheard', 52), registered_delivery: 0 });
    age();
    const [receipt] = await esme.receipts();
    assert.deepEqual([receipt.receipted_message_id, receipt.message_state], [wanted.message_id, 3]);
    assert.match(textOf(receipt), /stat:EXPIRED err:255/);
    await until(() => kept() === '0', 'nothing to be kept any more');
    assert.equal(esme.delivered.length, 1);
});

test('a long message that is refused with its last part: the parts before it have failed', async (t) => {
    const esme = await bind(t, await account());
    const to = { validity_period: 'tomorrow' };
    const one = await submit(esme, { ...header(2, 1, 'no such ', 61), ...to, registered_delivery: 1 });
    const two = await submit(esme, { ...header(2, 2, 'time', 61), ...to, registered_delivery: 1 });
    assert.deepEqual([one.command_status, two.command_status], [0, 0x45]);
    const [receipt] = await esme.receipts();
    assert.deepEqual([receipt.receipted_message_id, receipt.message_state], [one.message_id, 5]);
    assert.equal((await submit(esme, { ...header(2, 1, 'x', 62), destination_addr: '0123' })).command_status, 0x0B, 'what its first part shows already');
    await until(() => kept() === '0', 'nothing to be kept any more');
});

test('what is wrong with a submit is said by its status', async (t) => {
    const esme = await bind(t, await account());
    const cases = [[0x0B, { destination_addr: '12ab' }], [0x0B, { destination_addr: '0123' }], [0x45, { short_message: Buffer.from([9, 0, 3]), esm_class: 0x40 }], [0x45, { data_coding: 4, short_message: Buffer.from('x') }],
        [0x45, { short_message: '' }], [0x45, { validity_period: 'tomorrow' }], [0x45, { esm_class: 0x40, short_message: Buffer.from([5, 0, 3, 1, 200, 1, 65]) }]];
    for (const [status, fields] of cases)
        assert.equal((await submit(esme, fields)).command_status, status, JSON.stringify(fields));
    assert.equal((await esme.ask('query_sm', { message_id: 'x' })).command_status, 0x03);
    const later = await submit(esme, { schedule_delivery_time: '000001000000000R' });
    assert.equal((await shop.client.must(200, 'GET', `/v1/messages/${later.id}`)).status, 'held');
});

test('who may not bind', async (t) => {
    const made = await account({ binds_max: 1 });
    const refused = async (of, how = 'transceiver') => {
        const other = await Esme.open(t, server(), how, { bind: false });
        const { command_status: status } = await other.ask(`bind_${how}`, { system_id: of.system_id, password: of.password });
        await other.closed;
        return status;
    };
    assert.equal(await refused({ ...made, password: 'wrong' }), 0x0E);
    assert.equal(await refused({ system_id: 'nobody', password: made.password }), 0x0E);
    await bind(t, made, 'transmitter');
    assert.equal(await refused(made), 0x0D, 'as many links as it may have');
    assert.equal(await refused(await account({}, { allowed_cidrs: ['203.0.113.0/24'] })), 0x0D, 'from elsewhere');
    assert.equal(await refused(await account({}, { scopes: ['messages:read'] })), 0x0D, 'a key that may not send');
    const gone = await account();
    await shop.client.must(204, 'DELETE', `/v1/api-keys/${gone.key}`);
    assert.equal(await refused(gone), 0x0D, 'a key that was revoked');
    const other = await Esme.open(t, server(), 'transceiver', { bind: false });
    assert.equal((await other.ask('submit_sm', { destination_addr: DIGITS })).command_status, 0x04, 'not bound');
    const receiver = await bind(t, await account(), 'receiver');
    assert.equal((await submit(receiver, {})).command_status, 0x04);
});

test('a key that is revoked, and a password that is replaced, end what was bound', async (t) => {
    const made = await account();
    const esme = await bind(t, made);
    assert.equal((await submit(esme, {})).command_status, 0);
    await shop.client.must(200, 'PUT', `/v1/api-keys/${made.key}/smpp`, { channel_id: shop.channel });
    await until(async () => (await submit(esme, {})).command_status !== 0, 'what is known of the account to be read anew'); /* within half a second */
    await esme.closed;
    const second = await account(), bound = await bind(t, second);
    await shop.client.must(204, 'DELETE', `/v1/api-keys/${second.key}`);
    await until(async () => (await submit(bound, {})).command_status !== 0, 'the key to be refused');
    await bound.closed;
});

test('a receipt waits for a link, and is told again until it is taken', async (t) => {
    const made = await account();
    const sender = await bind(t, made, 'transmitter');
    const { message_id: number, id } = await submit(sender, { registered_delivery: 1 });
    await shop.client.follow(id, ['delivered', 'read']);
    const reader = await Esme.open(t, server(), 'receiver', { bind: false });
    let asked = 0;
    reader.answer = () => (asked++ === 0 ? 0x64 : 0);
    assert.equal((await reader.ask('bind_receiver', { system_id: made.system_id, password: made.password })).command_status, 0);
    const [receipt] = await reader.receipts();
    assert.deepEqual([receipt.receipted_message_id, asked], [number, 2]);
    const { id: failures } = await submit(sender, { registered_delivery: 2 });
    await shop.client.follow(failures, ['delivered', 'read']);
    await until(() => platform.sql('select count(*) from harkara.smpp_receipt where failures_only') === '0', 'what nobody wants to hear of to be gone');
    assert.equal(reader.delivered.length, 1);
});

test('receipts of failures name the state', async (t) => {
    const esme = await bind(t, await account());
    const { message_id: number, id } = await submit(esme, { destination_addr: '15550131026', registered_delivery: 1 });
    const [receipt] = await esme.receipts();
    assert.deepEqual([receipt.receipted_message_id, receipt.message_state], [number, 5]);
    assert.match(textOf(receipt), /stat:UNDELIV err:255/);
});

test('receipts survive a restart; a drain unbinds', async (t) => {
    const made = await account();
    const sender = await bind(t, made, 'transmitter');
    const { message_id: number, id } = await submit(sender, { registered_delivery: 1 });
    await platform.harkara.stop();
    await sender.closed;
    await platform.restart();
    shop.client.url = platform.url;
    await shop.client.follow(id, ['delivered', 'read']);
    const reader = await bind(t, made, 'receiver');
    assert.equal((await reader.receipts())[0].receipted_message_id, number);
});

test('octets that are no SMPP end their link, and nothing else', async (t) => {
    const esme = await bind(t, await account());
    for (const hex of ['0000000f00000015', 'ffffffff00000009', '474554202f20485454502f312e310d0a0d0a', '00000012000000090000000000000001ff']) {
        const socket = net.connect(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.end(Buffer.from(hex, 'hex'));
        socket.resume();
        await once(socket, 'close');
    }
    assert.equal((await submit(esme, {})).command_status, 0);
});

test('a submit that is repeated is known by its reference, where the account wants it', async (t) => {
    const made = await account({ dedupe: 'reference' });
    assert.equal(made.shown.dedupe, 'reference');
    const twice = async (esme, first, second = first) => [(await submit(esme, first)).id, (await submit(esme, second)).id];
    const fields = { user_message_reference: 77, short_message: 'Once' };
    const first = await bind(t, made);
    const [one, two] = await twice(first, fields);
    assert.equal(one, two);
    first.session.destroy();
    const again = await bind(t, made);
    assert.equal((await submit(again, { ...fields, validity_period: '000000010000000R' })).id, one, 'after a reconnect, with times that have moved on');
    for (const other of [{ user_message_reference: 78 }, { short_message: 'Twice' }, { destination_addr: '919812345679' }, { source_addr: 'OTHER' }, { user_message_reference: undefined }])
        assert.notEqual((await submit(again, { ...fields, ...other })).id, one, JSON.stringify(other));
    await until(() => strays() === '0', 'nothing to be owed for what was repeated');
    const parts = [header(2, 1, 'Long ', 91), header(2, 2, 'text', 91)], ids = [];
    for (const part of [...parts, parts[1], parts[0]])
        ids.push((await submit(again, part)).id);
    assert.equal(new Set(ids).size, 1);
    const plain = await bind(t, await account());
    const [left, right] = await twice(plain, fields);
    assert.notEqual(left, right, 'an account that did not ask for it');
});

/** A receipt for the sender REFUSED is an error of its own row, one for FULL is nobody's fault. Each row that is tried is counted. */
function refuseReceipts(t) {
    platform.sql(`create sequence receipt_tries; create function receipt_refuse() returns trigger language plpgsql security definer as $$ begin
        perform nextval('public.receipt_tries');
        if new.sender = 'REFUSED' then raise exception 'refused by a test'; end if;
        if new.sender = 'FULL' then raise exception 'full, says a test' using errcode = 'disk_full'; end if;
        return new; end $$;
        create trigger receipt_refuse before insert on harkara.smpp_receipt for each row execute function receipt_refuse()`);
    let is_there = true;
    const mend = () => is_there && (is_there = false, platform.sql('drop trigger receipt_refuse on harkara.smpp_receipt; drop function receipt_refuse; drop sequence receipt_tries'));
    t.after(mend);
    return { mend, tries: () => Number(platform.sql('select last_value from receipt_tries')) };
}

/** Gives submits that are accepted together: they queue behind one whose receipt waits for a lock. @param {[any, any][]} submits */
async function together(submits) {
    const release = await hold(platform, 'lock table harkara.smpp_receipt in share row exclusive mode');
    const first = submit(submits[0][0], { short_message: 'First' });
    await until(() => platform.sql(`select count(*) from pg_locks where relation = 'harkara.smpp_receipt'::regclass and not granted`) === '1', 'the first to wait');
    const answers = submits.map(([esme, fields]) => submit(esme, fields));
    for (const [esme] of submits)
        await esme.ask('enquire_link'); /* answered after what came before was queued */
    await release();
    assert.equal((await first).command_status, 0);
    return [await first, ...await Promise.all(answers)];
}

const messages = () => Number(platform.sql("select count(*) from harkara.message where direction = 'out'"));

test('a receipt that cannot be written refuses its own submit, and no other that came with it', async (t) => {
    const other = await platform.workspace();
    await platform.harkara.json('tenant', 'limits', other.tenant, '--messages-per-day', '3');
    const ours = await bind(t, await account()), theirs = await bind(t, await account({}, {}, other));
    const before = messages();
    const receipts = refuseReceipts(t);
    const answers = await together([[ours, { short_message: '1' }], [theirs, { short_message: '2' }], [ours, { short_message: '3', source_addr: 'REFUSED' }], [theirs, { short_message: '4', source_addr: 'REFUSED' }],
        [ours, { short_message: '5', registered_delivery: 0 }], [theirs, { short_message: '6' }], [ours, { short_message: '7' }]]);
    assert.deepEqual(answers.map(({ command_status: status }) => status), [0, 0, 0, 8, 8, 0, 0, 0]);
    assert.ok(receipts.tries() > 7, 'all of them together were tried, then each by itself');
    assert.deepEqual(answers.map(({ message_id: id }) => Boolean(id)), [true, true, true, false, false, true, true, true]);
    assert.equal(messages() - before, 6, 'what was accepted, and nothing else');
    const numbers = (...indexes) => indexes.map((index) => answers[index].message_id).sort();
    for (const [esme, wanted] of [[ours, numbers(0, 1, 7)], [theirs, numbers(2, 6)]])
        assert.deepEqual((await esme.receipts(wanted.length)).map(({ receipted_message_id: of }) => of).sort(), wanted);
    await shop.client.follow(answers[5].id, ['delivered', 'read']);
    receipts.mend();
    const again = await submit(theirs, { short_message: '4', source_addr: 'REFUSED' });
    assert.equal(again.command_status, 0, 'what was refused was not counted');
    assert.equal((await submit(theirs, { short_message: '8' })).command_status, 0x58);
    assert.equal((await theirs.receipts(3)).at(-1).receipted_message_id, again.message_id);
    assert.equal(strays(), '0');
});

test('while receipts cannot be written at all, what wants one is refused, and is accepted afterwards', async (t) => {
    const esme = await bind(t, await account());
    const before = messages();
    const receipts = refuseReceipts(t);
    const wanted = [{ short_message: '1' }, { short_message: '2', source_addr: 'FULL' }, { short_message: '3' }];
    const answers = await together([...wanted, { short_message: '4', registered_delivery: 0 }].map((fields) => [esme, fields]));
    assert.deepEqual(answers.map(({ command_status: status }) => status), [0, 8, 8, 8, 0]);
    assert.ok(receipts.tries() <= 5, 'tried together, once more by a new connection, and left at that');
    assert.equal(messages() - before, 2);
    receipts.mend();
    const again = await Promise.all(wanted.map((fields) => submit(esme, fields)));
    assert.deepEqual(again.map(({ command_status: status }) => status), [0, 0, 0]);
    assert.deepEqual((await esme.receipts(4)).map(({ receipted_message_id: of }) => of).sort(), [answers[0], ...again].map(({ message_id: of }) => of).sort());
    assert.equal(messages() - before, 5);
});

test('the last part whose receipt cannot be written is refused, and completes the message when it comes again', async (t) => {
    const esme = await bind(t, await account());
    const before = messages(), others = kept(); /* those of accounts that know repetitions */
    const receipts = refuseReceipts(t);
    const first = await submit(esme, { ...header(2, 1, 'In the ', 95), source_addr: 'REFUSED' });
    const refused = await submit(esme, { ...header(2, 2, 'end', 95), source_addr: 'REFUSED' });
    assert.deepEqual([first.command_status, refused.command_status, messages() - before], [0, 8, 0]);
    receipts.mend();
    const last = await submit(esme, { ...header(2, 2, 'end', 95), source_addr: 'REFUSED' });
    assert.deepEqual([last.command_status, last.id], [0, first.id]);
    assert.equal((await shop.client.follow(last.id, ['delivered', 'read'])).content.text.body, 'In the end');
    assert.equal((await esme.receipts())[0].receipted_message_id, first.message_id);
    await until(() => kept() === others, 'nothing of it to be kept any more');
    assert.equal(esme.delivered.length, 1);
});

test('limits throttle', async (t) => {
    const tight = await platform.workspace();
    await platform.harkara.json('tenant', 'limits', tight.tenant, '--messages-per-day', '1');
    const esme = await bind(t, await account({}, {}, tight));
    const statuses = [];
    for (let i = 0; i < 2; i++)
        statuses.push((await submit(esme, {})).command_status);
    assert.deepEqual(statuses, [0, 0x58]);
});
