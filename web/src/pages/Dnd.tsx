import { IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { DndRegistry, PolicySettings } from '@/api/types';
import { Facts, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { Lookup } from '@/features/dnd/Lookup';
import { dndQuery, isTrouble, stateOf } from '@/features/dnd/queries';
import { DndBadge } from '@/features/dnd/Status';
import { useLanguage, useT } from '@/i18n/i18n';

/** Whom promotional SMS may come to in India, by the state's registers: how old the copy is, and a look into it. */
export default function Dnd() {
    const t = useT();
    const registry = useQuery(dndQuery);
    const policy = useQuery({ queryKey: keys.policy, queryFn: () => unwrap(api.GET('/v1/settings/policy')) });
    const failed = registry.isError ? registry : policy.isError ? policy : null;
    return (
        <Page title={t('nav.dnd')} purpose={t('dnd.purpose')}>
            {failed !== null ? <Problem error={failed.error} retry={() => { void registry.refetch(); void policy.refetch(); }} />
                : !registry.isSuccess || !policy.isSuccess ? <RowsSkeleton count={6} />
                : (
                    <div className="form" style={{ gap: 32 }}>
                        <Standing registry={registry.data} rule={policy.data.dnd} />
                        <section aria-labelledby="look" className="stack" style={{ gap: 12 }}>
                            <div><h2 id="look" style={{ margin: 0 }}>{t('dnd.look.title')}</h2><p className="quiet" style={{ margin: '4px 0 0' }}>{t(registry.data.loaded ? 'dnd.look.text' : 'dnd.look.none')}</p></div>
                            {registry.data.loaded && <Lookup />}
                        </section>
                    </div>
                )}
        </Page>
    );
}

function Standing({ registry, rule }: { registry: DndRegistry; rule: PolicySettings['dnd'] }) {
    const { t, intl } = useLanguage();
    const state = stateOf(registry);
    const isWrong = isTrouble(state, rule);
    const Mark = isWrong ? IconAlertTriangle : IconInfoCircle;
    const days = Math.floor((registry.age_seconds ?? 0) / 86_400);
    return (
        <section aria-labelledby="standing" className="card card-pad stack">
            <div className="line" style={{ justifyContent: 'space-between' }}><h2 id="standing" style={{ margin: 0 }}>{t('dnd.registry')}</h2><DndBadge registry={registry} /></div>
            {registry.loaded && <Facts rows={[[t('dnd.numbers'), intl.formatNumber(registry.number_count ?? 0)], [t('dnd.imported'), <When key="at" at={registry.imported_at} />], [t('dnd.age'), t('dnd.age.days', { count: days })], [t('dnd.source'), registry.source === '' || registry.source === null ? '–' : <span key="s" style={{ overflowWrap: 'anywhere' }}>{registry.source}</span>]]} />}
            <div className="note line" role={isWrong ? 'alert' : 'status'} style={{ flexWrap: 'nowrap', alignItems: 'flex-start' }}>
                <Mark size={18} aria-hidden style={{ flex: 'none', marginTop: 1, color: `var(--st-${isWrong ? 'orange' : 'blue'})` }} />
                <div className="stack" style={{ gap: 8 }}>
                    <span>{t(`dnd.means.${state}.${rule}`, { days: registry.old_after_days })}</span>
                    {state !== 'fresh' && <span className="quiet">{t('dnd.import.how')} <code className="mono">harkara dnd import</code></span>}
                    <Link to="/policy">{t('dnd.rule')}</Link>
                </div>
            </div>
        </section>
    );
}
