/** Templates: creation rules, review, and sends that must fit. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { PERSON, WABA, startWorld } from './support.js';

const body = (text, samples) => ({ type: 'BODY', text, ...(samples ? { example: { body_text: [samples] } } : {}) });
const base = { name: 'order_shipped', language: 'en_US', category: 'UTILITY', components: [body('Hello {{1}}, parcel {{2}} left us this morning.', ['Ana', 'P-1'])] };
const create = (world, more = {}) => world.graph(`/v23.0/${WABA}/message_templates`, { body: { ...base, ...more } });
const approved = (world) => world.callback.until((callback) => callback.changes().find((change) => change.field === 'message_template_status_update'));

test('a template is reviewed and the outcome comes by webhook', async (t) => {
  const world = await startWorld(t);
  const made = await create(world, { category: 'utility', components: [{ type: 'body', text: 'A line without variables.' }] });
  assert.deepEqual(Object.keys(made.body).sort(), ['category', 'id', 'status']);
  assert.equal(made.body.status, 'PENDING');
  const change = await approved(world);
  assert.deepEqual(change.value, { event: 'APPROVED', message_template_id: Number(made.body.id), message_template_name: 'order_shipped', message_template_language: 'en_US', reason: 'NONE', message_template_category: 'UTILITY' });
  const got = await world.graph(`/v23.0/${made.body.id}`);
  assert.equal(got.body.status, 'APPROVED');
  assert.equal(got.body.components[0].type, 'BODY');
  await create(world, { name: 'please_reject_me' });
  const rejected = await world.callback.until((callback) => callback.changes().find((entry) => entry.value.event === 'REJECTED'));
  assert.equal(rejected.value.reason, 'INCORRECT_CATEGORY');
});

test('what a template may not be', async (t) => {
  const world = await startWorld(t, { settings: { template_review_ms: 60_000 } });
  await create(world);
  const cases = [
    [{}, 2388024], [{ name: 'Upper' }, undefined], [{ name: undefined }, undefined], [{ category: 'SPAM' }, undefined], [{ language: 'english' }, undefined], [{ components: [] }, undefined],
    [{ components: [{ type: 'FOOTER', text: 'x' }] }, 2388072], [{ components: [body('x'.repeat(1025))] }, 2388040], [{ components: [body('{{1}} is at the start of this text', ['a'])] }, 2388299],
    [{ components: [body('This text ends with {{1}}', ['a'])] }, 2388299], [{ components: [body('Look: {{1}} {{2}} stand side by side in this one', ['a', 'b'])] }, 2388072],
    [{ components: [body('Hello {{1}}, this text has no example at all')] }, 2388043], [{ components: [body('Only {{2}} is here, which is out of order', ['a'])] }, 2388072], [{ components: [body('a {{1}} b {{2}} c', ['a', 'b'])] }, 2388293],
    [{ components: [body('fine text'), { type: 'HEADER', format: 'TEXT', text: 'x'.repeat(61) }] }, 2388040], [{ components: [body('fine text'), { type: 'HEADER', format: 'HOLOGRAM' }] }, 2388047],
    [{ components: [body('fine text'), { type: 'FOOTER', text: 'a {{1}} b' }] }, 2388073], [{ components: [body('fine text'), { type: 'BUTTONS', buttons: [{ type: 'QUICK_REPLY', text: 'x'.repeat(26) }] }] }, 2388040],
    [{ components: [body('fine text'), { type: 'BUTTONS', buttons: [1, 2, 3].map(() => ({ type: 'URL', text: 'a', url: 'https://a.example' })) }] }, undefined],
    [{ components: [body('fine text'), { type: 'BUTTONS', buttons: [{ type: 'QUICK_REPLY', text: 'a' }, { type: 'URL', text: 'b', url: 'https://a.example' }, { type: 'QUICK_REPLY', text: 'c' }] }] }, undefined],
    [{ category: 'AUTHENTICATION', components: [{ type: 'BODY' }] }, undefined], [{ components: [body('fine text'), { type: 'BUTTONS', buttons: [{ type: 'OTP', otp_type: 'COPY_CODE' }] }] }, undefined],
    [{ parameter_format: 'NAMED', components: [body('Hello {{First}}, this has a capital letter in it', ['a'])] }, 2388072],
  ];
  for (const [more, subcode] of cases) {
    const answer = await create(world, more.components || more.name || 'name' in more || more.category || more.language ? { name: more.name ?? 'another', ...more } : more);
    assert.equal(answer.status, 400, JSON.stringify(more));
    assert.equal(answer.body.error.code, 100);
    assert.equal(answer.body.error.error_subcode, subcode, JSON.stringify(more));
  }
});

test('values must fit the template in count, name and kind', async (t) => {
  const world = await startWorld(t, { account: { templates: [
    { name: 'two', language: 'en', components: [{ type: 'BODY', text: 'A {{1}} b {{2}} c' }] },
    { name: 'named', language: 'en', parameter_format: 'NAMED', components: [{ type: 'BODY', text: 'Hi {{who}}, see {{what}}.' }] },
    { name: 'pictured', language: 'en', components: [{ type: 'HEADER', format: 'IMAGE' }, { type: 'BODY', text: 'Look.' }] },
    { name: 'linked', language: 'en', components: [{ type: 'BODY', text: 'Look.' }, { type: 'BUTTONS', buttons: [{ type: 'QUICK_REPLY', text: 'Yes' }, { type: 'URL', text: 'Go', url: 'https://a.example/{{1}}' }] }] },
  ] } });
  const send = (name, ...components) => world.send({ type: 'template', template: { name, language: { code: 'en' }, components } });
  const texts = (...values) => ({ type: 'body', parameters: values.map((text) => ({ type: 'text', text })) });
  const named = (pairs) => ({ type: 'body', parameters: Object.entries(pairs).map(([name, text]) => ({ type: 'text', parameter_name: name, text })) });
  const link = (text) => ({ type: 'button', sub_type: 'url', index: '1', parameters: [{ type: 'text', text }] });
  const cases = [
    [send('two', texts('a', 'b')), 200], [send('two', texts('a')), 132000], [send('two'), 132000], [send('two', texts('a', 'b', 'c')), 132000], [send('two', texts('a', '')), 131008],
    [send('two', texts('a', 'line\nbreak')), 132018], [send('two', texts('a', 'tab\there')), 132018], [send('two', texts('a', 'five     spaces')), 132018], [send('two', texts('a', 'four    spaces')), 200],
    [send('two', texts('a', 'x'.repeat(1025))), 132005], [send('two', { type: 'body', parameters: [{ type: 'text', text: 'a' }, { type: 'image', image: { link: 'https://a.example/b.jpg' } }] }), 132012],
    [send('two', { type: 'body', parameters: [{ type: 'currency', currency: { fallback_value: '₹5', code: 'INR', amount_1000: 5000 } }, { type: 'date_time', date_time: { fallback_value: 'today' } }] }), 200],
    [send('named', named({ who: 'Ana', what: 'this' })), 200], [send('named', named({ what: 'this', who: 'Ana' })), 200], [send('named', named({ who: 'Ana', whom: 'x' })), 100], [send('named', texts('a', 'b')), 100],
    [send('pictured'), 132012], [send('pictured', { type: 'header', parameters: [{ type: 'text', text: 'x' }] }), 132012], [send('pictured', { type: 'header', parameters: [{ type: 'image', image: { link: 'https://a.example/b.jpg' } }] }), 200],
    [send('pictured', { type: 'header', parameters: [{ type: 'image', image: {} }] }), 131008], [send('linked', link('x')), 200], [send('linked'), 131008], [send('linked', link('x'), { type: 'button', sub_type: 'quick_reply', index: 5, parameters: [] }), 132018],
    [send('absent'), 132001],
  ];
  for (const [i, [answer, code]] of cases.entries()) {
    const got = await answer;
    assert.equal(got.body.error?.code ?? got.status, code, `case ${i}: ${JSON.stringify(got.body)}`);
  }
  const { body: list } = await world.control(`messages?type=template&wa_id=${PERSON}`);
  assert.equal(list.data.find((message) => message.content.name === 'named').view.body, 'Hi Ana, see this.');
  assert.equal(list.data.find((message) => message.content.name === 'linked').view.buttons[1].url, 'https://a.example/x');
});

test('a template that is paused, disabled or still in review is not sent', async (t) => {
  const world = await startWorld(t, { settings: { template_review_ms: 60_000 } });
  const made = await create(world);
  const send = () => world.send({ type: 'template', template: { name: 'order_shipped', language: { code: 'en_US' }, components: [{ type: 'body', parameters: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }] }] } });
  assert.equal((await send()).body.error.code, 132001);
  assert.equal((await world.graph(`/v23.0/${made.body.id}`, { body: { components: base.components } })).body.error.error_subcode, 2388039);
  for (const [event, code] of [['PAUSED', 132015], ['DISABLED', 132016], ['APPROVED', undefined]]) {
    await world.control(`templates/${made.body.id}`, { event }, 'PATCH');
    assert.equal((await send()).body.error?.code, code, event);
  }
  assert.deepEqual((await world.graph(`/v23.0/${made.body.id}`, { body: { components: base.components } })).body, { success: true });
  assert.equal((await send()).body.error.code, 132001, 'in review again');
});

test('lists come in pages', async (t) => {
  const templates = Array.from({ length: 7 }, (_, i) => ({ name: `t_${i}`, language: i % 2 ? 'hi' : 'en', components: [{ type: 'BODY', text: 'x' }] }));
  const world = await startWorld(t, { account: { templates } });
  const names = [];
  let next = `${world.url}/v23.0/${WABA}/message_templates?limit=3&fields=name,status`;
  let pages = 0;
  while (next) {
    const page = await world.graph(next.replace(world.url, ''));
    assert.ok(page.body.data.every((entry) => Object.keys(entry).sort().join() === 'id,name,status'));
    names.push(...page.body.data.map((entry) => entry.name));
    next = page.body.paging?.next;
    pages++;
  }
  assert.equal(pages, 3);
  assert.deepEqual(names, ['hello_world', ...templates.map((template) => template.name)]);
  assert.equal((await world.graph(`/v23.0/${WABA}/message_templates?language=hi`)).body.data.length, 3);
  assert.equal((await world.graph(`/v23.0/${WABA}/message_templates?after=nonsense`)).body.error.code, 131059);
  assert.equal((await world.graph(`/v23.0/${WABA}/message_templates?limit=ten`)).body.error.code, 100);
});

const toldTo = (world, field, fits = () => true) => world.callback.until((callback) => callback.changes().find((change) => change.field === field && fits(change.value)));

test('quality, category and components change by hand and are told', async (t) => {
  const world = await startWorld(t, { account: { templates: [{ name: 'known', language: 'en', components: [{ type: 'BODY', text: 'A text.' }] }] } });
  const { body: list } = await world.control('templates');
  const { id } = list.data.find((template) => template.name === 'known');
  const patch = (change) => world.control(`templates/${id}`, change, 'PATCH');
  await patch({ quality: 'yellow' });
  const quality = await toldTo(world, 'message_template_quality_update');
  assert.deepEqual([quality.value.previous_quality_score, quality.value.new_quality_score], ['UNKNOWN', 'YELLOW']);
  await patch({ correct_category: 'marketing', after_ms: 30 });
  const notice = await toldTo(world, 'template_category_update', (value) => value.correct_category !== undefined);
  assert.deepEqual([notice.value.new_category, notice.value.correct_category, typeof notice.value.category_update_timestamp], ['UTILITY', 'MARKETING', 'number']);
  const done = await toldTo(world, 'template_category_update', (value) => value.previous_category !== undefined);
  assert.deepEqual([done.value.previous_category, done.value.new_category], ['UTILITY', 'MARKETING']);
  await patch({ components: [{ type: 'BODY', text: 'Another text.' }, { type: 'BUTTONS', buttons: [{ type: 'URL', text: 'Go', url: 'https://a.example' }] }] });
  const components = await toldTo(world, 'message_template_components_update');
  assert.equal(components.value.message_template_element, 'Another text.');
  assert.equal(components.value.message_template_buttons[0].message_template_button_url, 'https://a.example');
  const { body: shown } = await world.graph(`/v23.0/${id}?fields=category,previous_category,quality_score`);
  assert.deepEqual([shown.category, shown.previous_category, shown.quality_score.score], ['MARKETING', 'UTILITY', 'YELLOW']);
  for (const wrong of [{}, { quality: 'BLUE' }, { category: 'SPAM' }, { correct_category: 'SPAM' }])
    assert.equal((await patch(wrong)).status, 400);
});

test('a review refuses for the reason in the name, and a pause says which it is', async (t) => {
  const world = await startWorld(t, { settings: { template_review_ms: 10 } });
  const made = await create(world, { name: 'please_reject_scam' });
  const rejected = await toldTo(world, 'message_template_status_update', (value) => value.event === 'REJECTED');
  assert.equal(rejected.value.reason, 'SCAM');
  assert.equal((await world.graph(`/v23.0/${made.body.id}?fields=rejected_reason`)).body.rejected_reason, 'SCAM');
  await create(world, { name: 'reject_plain' });
  const advised = await toldTo(world, 'message_template_status_update', (value) => value.rejection_info !== undefined);
  assert.equal(advised.value.reason, 'INCORRECT_CATEGORY');
  await create(world, { name: 'fine' });
  const { value: { message_template_id: fine } } = await toldTo(world, 'message_template_status_update', (value) => value.event === 'APPROVED');
  assert.equal((await world.graph(`/v23.0/${fine}/unpause`, { body: {} })).body.error.error_subcode, 2388039);
  await world.control(`templates/${fine}`, { event: 'PAUSED' }, 'PATCH');
  const paused = await toldTo(world, 'message_template_status_update', (value) => value.event === 'PAUSED');
  assert.equal(paused.value.other_info.title, 'FIRST_PAUSE');
  assert.deepEqual((await world.graph(`/v23.0/${fine}/unpause`, { body: {} })).body, { success: true });
  await world.control(`templates/${fine}`, { event: 'DISABLED' }, 'PATCH');
  await toldTo(world, 'message_template_status_update', (value) => value.disable_info !== undefined);
  assert.equal((await world.graph(`/v23.0/${WABA}/message_templates?name=fine`, { method: 'DELETE' })).status, 400);
});

test('the library, caps on edits, deletion by id and by name, and a comparison', async (t) => {
  const world = await startWorld(t);
  const library = (more) => world.graph(`/v23.0/${WABA}/message_templates`, { body: { name: 'delivery', language: 'en', category: 'UTILITY', library_template_name: 'delivery_update_1', ...more } });
  assert.equal((await library({ library_template_name: 'nothing' })).body.error.code, 100);
  assert.equal((await library({})).body.error.code, 100, 'its button wants to know where it leads');
  const inputs = { library_template_button_inputs: [{ type: 'URL', url: { base_url: 'https://a.example/{{1}}', url_suffix_example: 'https://a.example/1' } }] };
  const made = await library(inputs);
  assert.equal(made.body.status, 'APPROVED');
  const edit = () => world.graph(`/v23.0/${made.body.id}`, { body: { components: base.components } });
  assert.deepEqual((await edit()).body, { success: true });
  await world.control(`templates/${made.body.id}`, { event: 'APPROVED' }, 'PATCH');
  assert.equal((await edit()).body.error.code, 100, 'one edit a day');
  const other = await library({ ...inputs, language: 'hi' });
  const compared = await world.graph(`/v23.0/${made.body.id}/compare?template_ids=[${other.body.id}]&start=1&end=2`);
  assert.deepEqual(compared.body.data.map(({ metric }) => metric), ['BLOCK_RATE', 'MESSAGE_SENDS', 'TOP_BLOCK_REASON']);
  assert.equal((await world.graph(`/v23.0/${made.body.id}/compare?template_ids=[1]&start=1&end=2`)).body.error.code, 100);
  const remove = (query) => world.graph(`/v23.0/${WABA}/message_templates?${query}`, { method: 'DELETE' });
  assert.deepEqual((await remove(`hsm_id=${other.body.id}&name=delivery`)).body, { success: true });
  assert.equal((await world.graph(`/v23.0/${made.body.id}`)).status, 200);
  assert.deepEqual((await remove('name=delivery')).body, { success: true });
  assert.equal((await remove('name=delivery')).body.error.error_subcode, 2593002);
  await toldTo(world, 'message_template_status_update', (value) => value.event === 'DELETED');
});
