// @ts-check
/** Templates: from their definition through WhatsApp's review to their end, and the sends that use them. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { WhatsAppClient } from '@kapso/whatsapp-cloud-api';
import { PERSON, startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform({ env: { HARKARA_SEND_TIMEOUT_MS: '5000' } }); // what a dead dispatcher held is taken over the sooner
    /* At once: two reviews of one template in the same second are told by the same bytes, and both must be known of. */
    await platform.sandbox.control('PATCH', '/settings', { template_review_ms: 1 });
    shop = await platform.workspace({ endpoint: true });
    await shop.client.promotes();
});
after(() => platform?.stop());

/** An upload in the middle of which its dispatcher was killed; it is taken over when the lease is over, while other tests run. The lease is ended by hand. */
let orphan;
const body = (text, ...values) => ({ type: 'BODY', text, ...(values.length ? { example: { body_text: [values] } } : {}) });
const definition = (name, more = {}) => ({ channel_id: shop.channel, name, language: 'en_US', category: 'utility',
    components: [body('Your order {{1}} arrives on {{2}}, with us.', 'A-1', 'Friday')], ...more });
const create = (name, more) => shop.client.must(202, 'POST', '/v1/templates', definition(name, more));
const read = (id) => shop.client.must(200, 'GET', `/v1/templates/${id}`);
const inState = (id, state) => until(async () => {
    const now = await read(id);
    return now.state === state && now.change === null && now;
}, `${id} to be ${state}`);
const approved = async (name, more) => inState((await create(name, more)).id, 'approved');
const told = (type, id, fits = () => true) => until(() => shop.receiver.events().find((event) => event.type === type && event.data.template_id === id && fits(event.data)), `${type} of ${id}`);
const byHand = (template, change) => platform.sandbox.control('PATCH', `/templates/${template.provider_id}`, change);
const texts = (type, ...values) => ({ type, parameters: values.map((text) => ({ type: 'text', text })) });
const send = (name, components, more = {}, headers) => shop.client.call('POST', '/v1/messages', { channel_id: shop.channel, to: PERSON, ...more,
    content: { type: 'template', template: { name, language: { code: 'en_US' }, components } } }, headers);

test('a dispatcher dies in the middle of an upload', async () => {
    const bytes = Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(2_000_000)]);
    const media = await shop.client.upload('application/pdf', bytes);
    await platform.sandbox.control('POST', '/faults', { on: 'uploads', match: { type: 'bytes' }, effect: { kind: 'stall', after_bytes: 900_000 } });
    const made = await create('sample_orphaned', { components: [{ type: 'HEADER', format: 'DOCUMENT', example: { header_handle: [media.id] } }, body('The paper that you wanted.')] });
    const upload = async () => (await platform.sandbox.control('GET', '/uploads')).json.data.find(({ length }) => length === bytes.length);
    await until(async () => (await upload())?.offset === 900_000, 'the upload to stand still');
    for (const pid of await platform.pids('dispatcher'))
        process.kill(pid, 'SIGKILL');
    platform.sql("update harkara.provider_task set lease_until = now() where kind like 'template.%' and state = 'leased'");
    orphan = { made, bytes, upload };
});

describe('a template', () => {
    test('is handed in, reviewed, told and read back', async () => {
        const made = await create('order_sent');
        assert.deepEqual([made.state, made.change, made.provider_id], ['submitting', 'create', null]);
        const now = await inState(made.id, 'approved');
        assert.match(now.provider_id, /^[0-9]+$/);
        assert.equal(now.components[0].type, 'BODY');
        const event = await told('template.state-changed', made.id, (data) => data.state === 'approved');
        assert.equal(event.data.channel_id, shop.channel);
        const list = await shop.client.must(200, 'GET', `/v1/templates?state=approved&category=utility&name=order_&language=en_US&channel_id=${shop.channel}`);
        assert.deepEqual(list.data.map(({ id, components }) => [id, components]), [[made.id, undefined]]);
        assert.equal((await shop.client.call('POST', '/v1/templates', definition('order_sent'))).json.code, 'already-exists');
    });

    test('is refused with every fault named before WhatsApp sees it', async () => {
        const answer = await shop.client.call('POST', '/v1/templates', definition('too_much', { language: 'english', components: [
            body('{{1}} is at the start of it all', 'x'), { type: 'FOOTER', text: 'x'.repeat(61) }] }));
        assert.equal(answer.status, 422);
        assert.deepEqual(answer.json.errors, [
            { pointer: '/language', detail: "is not a language of WhatsApp's, such as en_US" },
            { pointer: '/components/0/text', detail: 'must not begin with a variable' },
            { pointer: '/components/1/text', detail: 'may have 60 characters; it has 61' }]);
    });

    test('that WhatsApp rejects says why, and can be edited and handed in again', async () => {
        const made = await create('please_reject_scam');
        const rejected = await inState(made.id, 'rejected');
        assert.equal(rejected.state_reason, 'scam');
        await told('template.state-changed', made.id, (data) => data.state_reason === 'scam');
        const edited = await shop.client.must(202, 'PATCH', `/v1/templates/${made.id}`, { category: 'marketing', components: [body('A better text without any lure.')] });
        assert.equal(edited.change, 'edit');
        await until(async () => (await read(made.id)).components[0].text === 'A better text without any lure.', 'the edit to be taken');
    });

    test('that WhatsApp does not take is refused with its code, and goes without asking', async () => {
        const elsewhere = await kapso();
        await elsewhere.templates.create({ businessAccountId: shop.account.waba_id, name: 'taken_before', language: 'en_US', category: 'UTILITY', components: [body('Made elsewhere, and first.')] });
        const made = await create('taken_before');
        const refused = await inState(made.id, 'refused');
        assert.equal(refused.error.code, 'whatsapp-100-2388024');
        assert.equal(refused.error.title, 'The template has content in this language already.');
        const gone = await shop.client.must(202, 'DELETE', `/v1/templates/${made.id}`);
        assert.equal(gone.state, 'deleted');
    });

    test('is edited once a day while it is approved', async () => {
        const made = await approved('edited_daily');
        const edit = (text) => shop.client.call('PATCH', `/v1/templates/${made.id}`, { components: [body(text)] });
        assert.equal((await edit('The second text of this template.')).status, 202);
        const now = await until(async () => { const one = await inState(made.id, 'approved'); return one.next_edit_at !== null && one; }, 'the edit to count');
        const capped = await edit('The third text of this template.');
        assert.equal(capped.status, 409);
        assert.match(capped.json.detail, /1 edit .* in 24 hours/);
        assert.ok(Date.parse(now.next_edit_at) > Date.now());
        assert.equal((await shop.client.call('PATCH', `/v1/templates/${made.id}`, { category: 'marketing' })).json.code, 'state-conflict');
    });

    test('is deleted in one language, and in all', async () => {
        const [en, hi, other] = [await approved('leaving'), await approved('leaving', { language: 'hi' }), await approved('leaving', { language: 'ta' })];
        await shop.client.must(202, 'DELETE', `/v1/templates/${en.id}`);
        await inState(en.id, 'deleted');
        await told('template.deleted', en.id);
        assert.equal((await read(hi.id)).state, 'approved');
        await shop.client.must(202, 'DELETE', `/v1/templates/${hi.id}?all_languages=true`);
        await inState(hi.id, 'deleted');
        await inState(other.id, 'deleted');
    });

    test('keeps its idempotency key', async () => {
        const key = { 'idempotency-key': 'the-same-template' };
        const first = await shop.client.call('POST', '/v1/templates', definition('only_once'), key);
        const again = await shop.client.call('POST', '/v1/templates', definition('only_once'), key);
        assert.equal(again.json.id, first.json.id);
        assert.equal(again.headers.get('idempotency-replayed'), 'true');
        assert.equal((await shop.client.call('POST', '/v1/templates', definition('another'), key)).json.code, 'idempotency-mismatch');
    });

    test('comes out of the library approved', async () => {
        const { components: _, ...base } = definition('delivery');
        const made = await shop.client.must(202, 'POST', '/v1/templates', { ...base, library_template_name: 'delivery_update_1',
            library_template_button_inputs: [{ type: 'URL', url: { base_url: 'https://shop.example/{{1}}', url_suffix_example: 'https://shop.example/1' } }] });
        const now = await inState(made.id, 'approved');
        assert.equal(now.library_template_name, 'delivery_update_1');
        assert.ok(now.components.some((component) => component.type === 'BUTTONS'), 'read from WhatsApp');
    });
});

const kapso = async () => new WhatsAppClient({ accessToken: shop.account.access_token, baseUrl: platform.sandbox.url, graphVersion: 'v23.0' });

describe('a header with a sample of ours', () => {
    const jpeg = (size) => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), randomBytes(size)]);
    const mp4 = (size) => Buffer.concat([Buffer.from('\0\0\0\x18ftypmp42', 'latin1'), randomBytes(size)]);
    const pdf = (size) => Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(size)]);
    const header = (format, id) => ({ type: 'HEADER', format, example: { header_handle: [id] } });
    const pictured = (name, format, id, more) => definition(name, { category: 'marketing', components: [header(format, id), body('Look at what has come in.')], ...more });
    const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
    const uploads = async (bytes) => (await platform.sandbox.control('GET', '/uploads')).json.data.filter((upload) => upload.length === bytes.length);
    const fault = (effect, more = {}) => platform.sandbox.control('POST', '/faults', { on: 'uploads', match: { type: 'bytes' }, effect, ...more });
    /** The one upload of these bytes, which is whole. */
    const whole = async (bytes, asked) => {
        const [upload, ...others] = await uploads(bytes);
        assert.deepEqual([others.length, upload.sha256, upload.asked], [0, sha256(bytes), asked]);
        return upload;
    };

    test('is uploaded to the app of the token and then handed in', async () => {
        for (const [format, type, mime, bytes] of [['IMAGE', 'image/jpeg', 'image/jpeg', jpeg(70_001)], ['video', 'video/mp4', 'video/mp4', mp4(600_002)], ['DOCUMENT', 'application/pdf', 'application/pdf', pdf(300_003)]]) {
            const media = await shop.client.upload(type, bytes, '?file_name=not-for-them.bin');
            const made = await shop.client.must(202, 'POST', '/v1/templates', pictured(`sample_${format.toLowerCase()}`, format, media.id));
            assert.deepEqual(made.components[0].example.header_handle, [media.id]);
            const now = await inState(made.id, 'approved');
            assert.match(now.components[0].example.header_handle[0], /^https:\/\/scontent\.whatsapp\.net\//, 'what WhatsApp shows of it');
            const upload = await whole(bytes, [0]);
            assert.deepEqual([upload.type, upload.file_name.startsWith('sample.')], [mime, true]);
        }
        assert.equal(platform.sql("select count(*) from harkara.provider_task where state in ('done', 'failed') and progress is not null"), '0');
    });

    test('may stand on the cards of a carousel: each file goes up once', async () => {
        const [one, two] = [jpeg(10_004), jpeg(10_005)];
        const [first, second] = [await shop.client.upload('image/jpeg', one), await shop.client.upload('image/jpeg', two)];
        const card = (id) => ({ components: [header('IMAGE', id), body('A card.'), { type: 'BUTTONS', buttons: [{ type: 'QUICK_REPLY', text: 'Yes' }] }] });
        const made = await create('cards_of_ours', { category: 'marketing', components: [body('Three of them.'), { type: 'CAROUSEL', cards: [first, second, first].map(({ id }) => card(id)) }] });
        await inState(made.id, 'approved');
        await whole(one, [0]);
        await whole(two, [0]);
    });

    test('is handed in again by an edit, with another file', async () => {
        const made = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_edited', 'IMAGE', (await shop.client.upload('image/jpeg', jpeg(10_006))).id));
        const before = await inState(made.id, 'approved');
        const bytes = jpeg(10_007);
        const { id } = await shop.client.upload('image/jpeg', bytes);
        await shop.client.must(202, 'PATCH', `/v1/templates/${made.id}`, { components: [header('IMAGE', id), body('Look at what has come in now.')] });
        const handle = (template) => template.components[0].example?.header_handle[0];
        await until(async () => { const now = await read(made.id); return now.change === null && handle(now).startsWith('https:') && handle(now) !== handle(before); }, 'the other file');
        await whole(bytes, [0]);
    });

    test('goes on where the connection broke', async () => {
        const bytes = mp4(3_000_008);
        const media = await shop.client.upload('video/mp4', bytes);
        await fault({ kind: 'cut', after_bytes: 1_300_000 });
        await fault({ kind: 'cut', after_bytes: 0x40000 }, { skip: 1 });
        const made = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_broken', 'VIDEO', media.id));
        await inState(made.id, 'approved');
        await whole(bytes, [0, 1_300_000, 1_300_000 + 0x40000]);
    });

    test('is not sent twice when only its answer was lost', async () => {
        const bytes = jpeg(50_009);
        const media = await shop.client.upload('image/jpeg', bytes);
        await fault({ kind: 'cut', when: 'after' });
        const made = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_unheard', 'IMAGE', media.id));
        await inState(made.id, 'approved');
        await whole(bytes, [0, bytes.length]);
    });

    test('goes on in a later attempt, and begins anew when the session is over', async () => {
        const bytes = jpeg(800_010);
        const media = await shop.client.upload('image/jpeg', bytes);
        await fault({ kind: 'cut', after_bytes: 500_000 });
        await fault({ kind: 'error', code: 2 }, { match: { type: 'offset' } });
        const made = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_later', 'IMAGE', media.id));
        await inState(made.id, 'approved');
        await whole(bytes, [0, 500_000]);

        const other = jpeg(800_011);
        const { id } = await shop.client.upload('image/jpeg', other);
        await fault({ kind: 'cut', after_bytes: 500_000 });
        await fault({ kind: 'error', code: 2 }, { match: { type: 'offset' } });
        await fault({ kind: 'error', code: 100, subcode: 33 }, { match: { type: 'offset' }, skip: 1 });
        const again = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_anew', 'IMAGE', id));
        await inState(again.id, 'approved');
        const [first, second] = await uploads(other);
        assert.deepEqual([first.asked, first.handle, second.asked, second.sha256], [[0], undefined, [0], sha256(other)]);
    });

    test('finds the app by the token itself where the app is not shown', async () => {
        const bytes = jpeg(20_014);
        const media = await shop.client.upload('image/jpeg', bytes);
        await platform.sandbox.control('POST', '/faults', { on: 'apps', effect: { kind: 'error', code: 100, subcode: 33 } });
        const made = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_shy', 'IMAGE', media.id));
        await inState(made.id, 'approved');
        await whole(bytes, [0]);
    });

    test('that WhatsApp does not take refuses the template with the reason', async () => {
        const media = await shop.client.upload('image/jpeg', jpeg(10_012));
        await fault({ kind: 'error', code: 100, message: 'No.' });
        const made = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_refused', 'IMAGE', media.id));
        assert.deepEqual((await inState(made.id, 'refused')).error, { code: 'whatsapp-100', title: 'WhatsApp refused a parameter of the request.' });
        await platform.sandbox.control('POST', '/faults', { on: 'uploads', match: { type: 'session' }, effect: { kind: 'error', code: 100, subcode: 33 } });
        const other = await shop.client.must(202, 'POST', '/v1/templates', pictured('sample_denied', 'IMAGE', media.id));
        assert.equal((await inState(other.id, 'refused')).error.title, 'The access token may not upload for its app.');
        assert.equal((await shop.client.must(200, 'GET', `/v1/channels/${shop.channel}`)).state, 'active', 'which says nothing of sending');
    });

    test('is refused at its place when it is not there, not ours, or of another type', async () => {
        const stranger = await platform.workspace({ channel: false });
        const foreign = await stranger.client.upload('image/jpeg', jpeg(100));
        const gone = await shop.client.upload('image/jpeg', jpeg(100));
        await shop.client.must(204, 'DELETE', `/v1/media/${gone.id}`);
        const ask = async (format, id) => {
            const answer = await shop.client.call('POST', '/v1/templates', pictured('sample_wrong', format, id));
            return [answer.status, answer.json.code, answer.json.errors?.[0]];
        };
        const pointer = '/components/0/example/header_handle/0';
        const unknown = [422, 'media-unknown', { pointer, detail: 'is not media of this workspace that is ready' }];
        assert.deepEqual(await ask('IMAGE', foreign.id), unknown);
        assert.deepEqual(await ask('IMAGE', gone.id), unknown);
        const film = await shop.client.upload('video/mp4', mp4(3_700_000));
        assert.deepEqual(await ask('IMAGE', film.id), [422, 'media-kind-mismatch', { pointer, detail: 'must be media of type image/jpeg or image/png, of at most 5 MiB' }]);
        assert.deepEqual(await ask('GIF', film.id), [422, 'media-kind-mismatch', { pointer, detail: 'must be media of type video/mp4, of at most 3.5 MiB' }]);
        assert.deepEqual(await ask('DOCUMENT', film.id), [422, 'media-kind-mismatch', { pointer, detail: 'must be media of type application/pdf, of at most 100 MiB' }]);
        assert.deepEqual(await ask('IMAGE', 'med_nothing'), [422, 'template-invalid', { pointer: '/components/0/example/header_handle', detail: 'is not the id of any media' }]);
        assert.equal((await shop.client.must(200, 'GET', '/v1/templates?name=sample_wrong')).data.length, 0, 'nothing is kept of it');
        const made = await approved('sample_none');
        const edit = await shop.client.call('PATCH', `/v1/templates/${made.id}`, { components: [header('IMAGE', foreign.id), body('Another text for it.')] });
        assert.deepEqual([edit.status, edit.json.code, edit.json.errors[0].pointer], [422, 'media-unknown', pointer]);
        assert.equal((await read(made.id)).change, null);
    });

    test('that is deleted before it was uploaded refuses the template with the reason', async () => {
        const bytes = jpeg(400_013);
        const media = await shop.client.upload('image/jpeg', bytes);
        const key = { 'idempotency-key': 'a-template-with-a-sample' };
        await fault({ kind: 'cut', after_bytes: 1000 });
        await fault({ kind: 'error', code: 2 }, { match: { type: 'offset' }, times: 3 }); // time enough to delete it
        const asked = pictured('sample_deleted', 'IMAGE', media.id);
        const made = await shop.client.must(202, 'POST', '/v1/templates', asked, key);
        await until(async () => (await uploads(bytes))[0]?.offset === 1000, 'the upload to break');
        await shop.client.must(204, 'DELETE', `/v1/media/${media.id}`);
        assert.deepEqual((await inState(made.id, 'refused')).error, { code: 'media-unknown', title: 'The media was deleted before it was uploaded.' });
        const again = await shop.client.call('POST', '/v1/templates', asked, key);
        assert.equal(again.json.id, made.id, 'what was asked once is answered as it was');
        await platform.sandbox.control('DELETE', '/faults');
    });
});

describe('what happens at WhatsApp', () => {
    test('is learnt by webhook: quality, pauses, category, another text', async () => {
        const made = await approved('watched');
        await byHand(made, { quality: 'RED' });
        assert.equal((await told('template.quality-changed', made.id)).data.quality, 'red');
        await byHand(made, { event: 'PAUSED' });
        assert.equal((await inState(made.id, 'paused')).state_reason, 'first_pause');
        const asked = await shop.client.must(202, 'POST', `/v1/templates/${made.id}/unpause`);
        assert.equal(asked.change, 'unpause');
        await inState(made.id, 'approved');
        await byHand(made, { correct_category: 'MARKETING', after_ms: 1500 });
        const announced = await told('template.category-announced', made.id);
        assert.equal(announced.data.correct_category, 'marketing');
        assert.ok(announced.data.category_change_at !== null);
        const changed = await told('template.category-changed', made.id);
        assert.deepEqual([changed.data.previous_category, changed.data.category], ['utility', 'marketing']);
        await byHand(made, { components: [{ type: 'BODY', text: 'Written elsewhere.' }] });
        await until(async () => (await read(made.id)).components[0].text === 'Written elsewhere.', 'the text to be read');
        await told('template.updated', made.id);
    });

    test('is found by a sync: what was made and what was deleted elsewhere', async () => {
        const elsewhere = await kapso();
        await elsewhere.templates.create({ businessAccountId: shop.account.waba_id, name: 'from_elsewhere', language: 'en_US', category: 'MARKETING', components: [body('Made with another tool.')] });
        const kept = await approved('kept_here');
        await elsewhere.templates.delete({ businessAccountId: shop.account.waba_id, name: 'kept_here' });
        const begun = await shop.client.must(202, 'POST', `/v1/channels/${shop.channel}/templates/sync`);
        const done = await until(async () => { const now = await shop.client.must(200, 'GET', `/v1/operations/${begun.id}`); if (now.state === 'failed') throw new Error(JSON.stringify(now)); return now.state === 'succeeded' && now; }, 'the sync');
        assert.ok(done.result.seen > 1);
        await inState(kept.id, 'deleted');
        const list = await shop.client.must(200, 'GET', '/v1/templates?name=from_elsewhere');
        assert.equal(list.data[0].category, 'marketing');
        assert.equal((await read(list.data[0].id)).components[0].text, 'Made with another tool.');
        assert.ok(list.data[0].synced_at !== null);
    });
});

describe('a send with a template that is known', () => {
    test('is compared with it before it is accepted', async () => {
        await approved('compared', { components: [{ type: 'HEADER', format: 'TEXT', text: 'For {{1}}', example: { header_text: ['Asha'] } },
            body('Your order {{1}} arrives on {{2}}, with us.', 'A-1', 'Friday'), { type: 'BUTTONS', buttons: [{ type: 'URL', text: 'Go', url: 'https://shop.example/{{1}}', example: ['1'] }] }] });
        const link = { type: 'button', sub_type: 'url', index: 0, parameters: [{ type: 'text', text: '1' }] };
        const good = await send('compared', [texts('header', 'Asha'), texts('body', 'A-1', 'Friday'), link], { category: 'transactional' });
        assert.equal(good.status, 202, good.text);
        const wrong = await send('compared', [texts('header', 'Asha'), texts('body', 'A-1')], { category: 'promotional' });
        assert.equal(wrong.status, 422);
        assert.equal(wrong.json.code, 'template-mismatch');
        assert.deepEqual(wrong.json.errors, [
            { pointer: '/category', detail: 'the template is for utility messages' },
            { pointer: '/content/template/components/1/parameters', detail: "the template's body has 2 variables; 1 values are given" },
            { pointer: '/content/template/components', detail: "the template's button at index 0 needs a value" }]);
    });

    test('takes its category, and waits for its approval', async () => {
        const made = await approved('campaign', { category: 'marketing', components: [body('All lamps are cheaper today.')] });
        const sent = await send('campaign', []);
        assert.equal(sent.json.category, 'promotional');
        const key = { 'idempotency-key': 'a-campaign-message' };
        const first = await send('campaign', [], {}, key);
        await byHand(made, { event: 'PAUSED' });
        await inState(made.id, 'paused');
        const held = await send('campaign', []);
        assert.deepEqual([held.status, held.json.code], [409, 'template-not-ready']);
        assert.equal(held.json.errors[0].detail, 'the template is paused for low quality');
        assert.equal((await send('campaign', [], {}, key)).json.id, first.json.id, 'what was accepted is answered as it was');
        await byHand(made, { event: 'DISABLED' });
        await inState(made.id, 'disabled');
        assert.equal((await send('campaign', [])).json.errors[0].detail, 'the template is disabled for low quality');
    });

    test('of which nothing is known goes on to WhatsApp', async () => {
        assert.equal((await send('never_heard_of', [])).status, 202);
    });
});

test('the upload of the dispatcher that died is gone on with by another', async () => {
    const now = await until(async () => { const one = await read(orphan.made.id); return one.state === 'approved' && one; }, 'the template to be approved');
    assert.equal(now.error, null);
    const { sha256, asked } = await orphan.upload();
    assert.deepEqual([sha256, asked], [createHash('sha256').update(orphan.bytes).digest('hex'), [0, 900_000]]);
});
