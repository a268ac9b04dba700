import { useQuery } from '@tanstack/react-query';
import { IconGauge } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { LimitState } from '@/api/types';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { channelsQuery } from '@/features/channels/queries';
import { useMay } from '@/app/session';
import { useLanguage } from '@/i18n/i18n';

function Limits({ limits }: { limits: LimitState[] }) {
    const { t, intl } = useLanguage();
    return (
        <ul className="rows card">
            {limits.map((limit) => {
                const share = limit.limit === 0 ? 1 : limit.used / limit.limit;
                return (
                    <li key={limit.name} style={{ flexWrap: 'wrap' }}>
                        <div className="grow" style={{ minWidth: 160 }}><div style={{ fontWeight: 540 }}>{t(`limit.${limit.name}`)}</div>{limit.resets_at !== null && <div className="quiet" style={{ fontSize: 13 }}>{t('limit.resets')} <When at={limit.resets_at} /></div>}</div>
                        <div style={{ width: 220 }}>
                            <div className="line number" style={{ justifyContent: 'space-between', fontSize: 13, marginBottom: 4 }}><span>{intl.formatNumber(limit.used)} / {intl.formatNumber(limit.limit)}</span><span className="quiet">{intl.formatNumber(share, { style: 'percent', maximumFractionDigits: share > 0 && share < 0.1 ? 1 : 0 })}</span></div>
                            <div className="meter" data-high={share >= 0.8} role="meter" aria-label={t(`limit.${limit.name}`)} aria-valuemin={0} aria-valuemax={limit.limit} aria-valuenow={Math.min(limit.used, limit.limit)}><div style={{ width: `${Math.min(100, share * 100)}%` }} /></div>
                        </div>
                    </li>
                );
            })}
        </ul>
    );
}

export default function Usage() {
    const { t } = useLanguage();
    const may = useMay();
    const usage = useQuery({ queryKey: keys.usage, queryFn: () => unwrap(api.GET('/v1/usage')), refetchInterval: 15_000 });
    const senders = useQuery({ queryKey: keys.channelUsage, queryFn: () => unwrap(api.GET('/v1/usage/channels', { params: { query: { limit: 100 } } })), refetchInterval: 15_000 });
    const channels = useQuery({ ...channelsQuery, enabled: may('channels:read') });
    const names = new Map((channels.data ?? []).map((channel) => [channel.id, channel.name]));
    return (
        <Page title={t('nav.usage')} purpose={t('usage.purpose')}>
            {usage.isPending ? <RowsSkeleton count={4} /> : usage.isError ? <Problem error={usage.error} retry={() => { void usage.refetch(); }} /> : usage.data.workspace.length > 0 && <section><h2 style={{ marginTop: 0 }}>{t('usage.workspace')}</h2><Limits limits={usage.data.workspace} /></section>}
            <section className="section">
                <h2>{t('usage.senders')}</h2>
                {senders.isPending ? <RowsSkeleton count={4} /> : senders.isError ? <Problem error={senders.error} retry={() => { void senders.refetch(); }} />
                    : senders.data.data.length === 0 ? <EmptyState icon={IconGauge} title={t('usage.none')} text={t('usage.none.text')} />
                    : <div className="stack" style={{ gap: 24 }}>{senders.data.data.map((sender) => <div key={sender.id}><h3 style={{ margin: '0 0 8px' }}>{names.get(sender.id) ?? <span className="mono">{sender.id}</span>}</h3><Limits limits={sender.limits} /></div>)}</div>}
            </section>
        </Page>
    );
}
