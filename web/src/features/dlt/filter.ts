import type { components } from '@generated/schema';

type Schemas = components['schemas'];
export const headerStates = ['active', 'inactive', 'blacklisted', 'suspended-validity', 'suspended-usage'] as const satisfies Schemas['DltHeaderState'][];
export const states = ['active', 'inactive', 'blacklisted'] as const satisfies Schemas['DltTemplateState'][];
export const chainStates = ['active', 'inactive', 'suspended', 'blacklisted'] as const satisfies Schemas['DltChainState'][];
export const kinds = ['content', 'consent'] as const satisfies Schemas['DltTemplateKind'][];
export const categories = ['transactional', 'service', 'promotional', 'government', 'service-explicit'] as const satisfies Schemas['DltCategory'][];
export const linkKinds = ['static', 'dynamic', 'short', 'app', 'ott', 'number'] as const satisfies Schemas['DltLinkKind'][];

export interface HeaderFilter { q?: string; state?: (typeof headerStates)[number] }
export interface TemplateFilter { q?: string; state?: (typeof states)[number]; kind?: (typeof kinds)[number]; header?: string }
export interface LinkFilter { q?: string }

/** What stands in an address is anybody's: only what the API takes is kept. */
function words(search: Record<string, unknown>): LinkFilter {
    const q = typeof search['q'] === 'string' || typeof search['q'] === 'number' ? String(search['q']).slice(0, 100) : '';
    return q === '' ? {} : { q };
}

export const readLinkFilter = words;

export function readHeaderFilter(search: Record<string, unknown>): HeaderFilter {
    const state = headerStates.find((each) => each === search['state']);
    return { ...words(search), ...(state === undefined ? {} : { state }) };
}

export function readTemplateFilter(search: Record<string, unknown>): TemplateFilter {
    const state = states.find((each) => each === search['state']), kind = kinds.find((each) => each === search['kind']);
    const header = typeof search['header'] === 'string' && /^dlh_[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(search['header']) ? search['header'] : undefined;
    return { ...words(search), ...(state === undefined ? {} : { state }), ...(kind === undefined ? {} : { kind }), ...(header === undefined ? {} : { header }) };
}
