import type { Word } from '@/i18n/i18n';
import { isRule, plain, type RuleName } from './rule';
import type { Receipt } from './state';

/**
 * The facts that the gate judges from, in the order in which they are shown, with the words that each may be; those without any are
 * counts and times. What is not here is a later release's, and is shown by its name (receipt.test.ts holds that nothing of the contract is missing).
 */
export const factValues = {
    category: ['otp', 'transactional', 'service', 'promotional'],
    channel_kind: ['whatsapp', 'sms'],
    workspace: ['active', 'suspended', 'closed'],
    sender: ['ready', 'paused', 'unverified', 'deleted'],
    template: ['none', 'approved', 'unknown', 'not-approved', 'not-matched'],
    dlt: ['not-applicable', 'ok', 'no-entity', 'entity-inactive', 'header-unknown', 'header-inactive', 'template-unknown', 'template-inactive', 'not-mapped', 'category', 'not-matched', 'variable', 'link', 'chain'],
    suppression: ['none', 'promotional', 'all'],
    consent: ['unknown', 'granted', 'withdrawn'],
    consent_rule: ['unless-withdrawn', 'required'],
    dnd: ['not-applicable', 'clear', 'blocked', 'unknown', 'not-now'],
    dnd_rule: ['when-known', 'required', 'off'],
    window: ['not-applicable', 'open', 'closed'],
    sent_in_day: [], cap_per_day: [], sent_in_week: [], cap_per_week: [],
    quota: ['within', 'spent'],
    credit: ['not-applicable', 'enough', 'spent'],
    quiet_until: [],
    dnd_until: [], dnd_category: [],
} as const satisfies Record<string, readonly string[]>;
type Fact = keyof typeof factValues;

interface Rule {
    /** The facts that it looks at. */
    facts: readonly Fact[];
    /** Where what would allow it is done. */
    go?: 'channel' | 'templates' | 'consent' | 'policy' | 'usage' | 'dlt';
    /** Values of its first fact for which there are words of their own: why, and what would allow it. */
    why?: readonly string[];
    allow?: readonly string[];
    /** It holds what it forbids, in words of its own. */
    held?: true;
}

export const rules = {
    'workspace-standing': { facts: ['workspace'], held: true },
    'sender-ready': { facts: ['sender'], go: 'channel' },
    'template-approved': { facts: ['template'], go: 'templates' },
    dlt: { facts: ['dlt'], go: 'dlt' },
    suppression: { facts: ['suppression'], go: 'consent', why: ['promotional'] },
    consent: { facts: ['consent', 'consent_rule', 'category'], go: 'consent', why: ['withdrawn'], allow: ['withdrawn'] },
    dnd: { facts: ['dnd', 'dnd_until', 'dnd_category', 'dnd_rule', 'consent'], go: 'policy', why: ['unknown'], allow: ['unknown'], held: true },
    'whatsapp-window': { facts: ['window', 'template'], go: 'templates' },
    'recipient-cap': { facts: ['sent_in_day', 'cap_per_day', 'sent_in_week', 'cap_per_week'], go: 'policy' },
    quota: { facts: ['quota'], go: 'usage' },
    credit: { facts: ['credit'] },
    'quiet-hours': { facts: ['quiet_until', 'category'], go: 'policy', held: true },
} as const satisfies Record<RuleName, Rule>;

function isFact(name: string): name is Fact {
    return name in factValues;
}

/** What is known of a rule; null for one of a later release. */
export function ruleOf(name: string | null | undefined): (Rule & { name: RuleName }) | null {
    return name != null && isRule(name) ? { ...rules[name], name } : null;
}

type Told = Pick<Receipt, 'decision' | 'rule' | 'facts'>;

function firstFact(receipt: Told, rule: Rule): unknown {
    const name = rule.facts[0];
    return name === undefined ? undefined : (receipt.facts as Record<string, unknown>)[name];
}

/** The head-line of what was blocked or held; null: the words of the answer itself have to do. */
export function whyReceipt(receipt: Told): Word | null {
    const rule = ruleOf(receipt.rule);
    if (rule === null)
        return receipt.decision === 'hold' ? 'receipt.held' : null;
    if (receipt.decision === 'hold')
        return rule.held === true ? `receipt.held.${rule.name}` as Word : 'receipt.held';
    const value = firstFact(receipt, rule);
    return (typeof value === 'string' && rule.why?.includes(value) === true ? `receipt.why.${rule.name}.${value}` : `receipt.why.${rule.name}`) as Word;
}

/** What would let it through; null for a rule of a later release. */
export function allowReceipt(receipt: Told): Word | null {
    const rule = ruleOf(receipt.rule);
    if (rule === null)
        return null;
    const value = firstFact(receipt, rule);
    return (typeof value === 'string' && rule.allow?.includes(value) === true ? `receipt.allow.${rule.name}.${value}` : `receipt.allow.${rule.name}`) as Word;
}

export interface Shown {
    /** A word, or a text for what has none. */
    name: { word: Word } | { text: string };
    value: { word: Word } | { text: string } | { count: number } | { at: string };
    /** The rule looked at it. */
    isDecisive: boolean;
}

const kinds: Record<string, string> = { whatsapp: 'WhatsApp', sms: 'SMS' }; /* the same in every language */

function valueOf(name: string, value: unknown): Shown['value'] {
    if (typeof value === 'number')
        return { count: value };
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (name === 'channel_kind' && kinds[text] !== undefined)
        return { text: kinds[text] };
    if (isFact(name) && (factValues[name] as readonly string[]).includes(text))
        return { word: `receipt.value.${name}.${text}` as Word };
    return /^\d{4}-\d\d-\d\dT/.test(text) ? { at: text } : { text: plain(text) };
}

/** The facts for people: those that the rule looked at first, then the rest as they are listed, then what nobody here knows. */
export function factsOf(receipt: Told): Shown[] {
    const given = Object.entries(receipt.facts).filter(([name]) => name !== 'at');
    const order = Object.keys(factValues);
    const decisive: readonly string[] = ruleOf(receipt.rule)?.facts ?? [];
    const rank = (name: string) => (decisive.includes(name) ? decisive.indexOf(name) - 100 : order.includes(name) ? order.indexOf(name) : 100);
    return given.sort(([a], [b]) => rank(a) - rank(b)).map(([name, value]) => ({
        name: isFact(name) ? { word: `receipt.fact.${name}` as Word } : { text: plain(name) },
        value: valueOf(name, value), isDecisive: decisive.includes(name),
    }));
}
