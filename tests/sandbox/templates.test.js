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
