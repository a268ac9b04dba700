import type { LimitState } from '@/api/types';
import { When } from '@/components/basics';
import { useLanguage } from '@/i18n/i18n';

/** How far each limit is used. */
export function Limits({ limits }: { limits: LimitState[] }) {
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
