import { Button } from '@mantine/core';
import { useSuspenseQuery } from '@tanstack/react-query';
import { IconArrowRight, IconPlus } from '@tabler/icons-react';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { Fragment } from 'react';
import type { DltChain, DltEntity, DltOverview } from '@/api/types';
import { useMay } from '@/app/session';
import { Code } from '@/components/basics';
import { RegistryState } from '@/features/dlt/pieces';
import { dltQuery } from '@/features/dlt/queries';
import { useLanguage, useT } from '@/i18n/i18n';

/** Who sends, through whom, and how much else is known of it. */
export default function DltEntities() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const { data: overview } = useSuspenseQuery(dltQuery);
    const isMine = may('dlt:manage');
    return (
        <>
            {overview.entities.length !== 0 && (
                <div className="stack" style={{ gap: 24 }}>
                    <Numbers overview={overview} />
                    {overview.entities.map((entity) => <Entity key={entity.id} entity={entity} chains={overview.chains.filter((chain) => chain.entity_id === entity.id)} isMine={isMine} />)}
                    {isMine && <div><Button variant="default" leftSection={<IconPlus size={16} />} onClick={() => { void navigate({ to: '/dlt/entities/$entityId', params: { entityId: 'new' }, resetScroll: false }); }}>{t('dlt.entity.another')}</Button></div>}
                </div>
            )}
            <Outlet />
        </>
    );
}

function Numbers({ overview: { headers, templates, links } }: { overview: DltOverview }) {
    const { t, intl } = useLanguage();
    const figures = [
        { to: '/dlt/headers', word: t('dlt.headers'), shown: headers.total, beside: t('dlt.number.active', { number: intl.formatNumber(headers.active) }), isWrong: headers.active < headers.total },
        { to: '/dlt/templates', word: t('dlt.templates'), shown: templates.total, beside: t('dlt.number.active', { number: intl.formatNumber(templates.active) }), isWrong: templates.active < templates.total },
        { to: '/dlt/links', word: t('dlt.links'), shown: links.total, beside: t('dlt.number.ending', { count: links.ending }), isWrong: links.ending > 0 },
    ] as const;
    return (
        <>
            <dl className="figures dlt-figures" style={{ margin: 0 }}>
                {figures.map(({ to, word, shown, beside, isWrong }) => (
                    <div key={to} className="figure">
                        <dt className="quiet"><Link to={to} style={{ color: 'inherit' }}>{word}</Link></dt>
                        <dd style={{ margin: 0 }}><span className="figure-number">{intl.formatNumber(shown)}</span><span style={{ display: 'block', fontSize: 12, color: isWrong ? 'var(--st-orange)' : 'var(--mantine-color-dimmed)' }}>{beside}</span></dd>
                    </div>
                ))}
            </dl>
            {headers.total === 0 && <p className="note" style={{ margin: 0 }}>{t('dlt.next.headers')} <Link to="/dlt/import">{t('dlt.import')}</Link></p>}
            {headers.total !== 0 && templates.total === 0 && <p className="note" style={{ margin: 0 }}>{t('dlt.next.templates')} <Link to="/dlt/import">{t('dlt.import')}</Link></p>}
        </>
    );
}

function Entity({ entity, chains, isMine }: { entity: DltEntity; chains: DltChain[]; isMine: boolean }) {
    const t = useT();
    const navigate = useNavigate();
    return (
        <section className="card" aria-labelledby={entity.id}>
            <div className="card-pad line" style={{ justifyContent: 'space-between' }}>
                <div style={{ minWidth: 0 }}>
                    <h2 id={entity.id} style={{ margin: 0 }} className="cut"><Link to="/dlt/entities/$entityId" params={{ entityId: entity.id }} className="row-link" resetScroll={false}>{entity.name}</Link></h2>
                    <Code text={entity.registered_id} />
                </div>
                <RegistryState state={entity.state} />
            </div>
            <div className="card-pad line" style={{ justifyContent: 'space-between', borderTop: '1px solid var(--hk-line)', paddingBottom: chains.length === 0 ? 16 : 4 }}>
                <div style={{ flex: '1 1 260px' }}><h3 style={{ margin: 0 }}>{t('dlt.chains')}</h3><span className="quiet" style={{ fontSize: 13 }}>{t(chains.length === 0 ? 'dlt.chains.none' : 'dlt.chains.text')}</span></div>
                {isMine && <Button variant="default" size="xs" leftSection={<IconPlus size={14} />} onClick={() => { void navigate({ to: '/dlt/entities/chain/$chainId', params: { chainId: 'new' }, search: { entity: entity.id }, resetScroll: false }); }}>{t('dlt.chain.add')}</Button>}
            </div>
            {chains.length !== 0 && (
                <ul className="rows">
                    {chains.map((chain) => (
                        <li key={chain.id} style={{ flexWrap: 'wrap' }}>
                            <span className="grow" style={{ flexBasis: 220 }}>
                                <Link to="/dlt/entities/chain/$chainId" params={{ chainId: chain.id }} className="row-link" resetScroll={false}>
                                    {chain.telemarketers.map((each, i) => <Fragment key={each.registered_id}>{i > 0 && <> <IconArrowRight size={13} aria-label={t('dlt.chain.then')} style={{ verticalAlign: -2 }} /> </>}{each.name === '' ? <span className="mono">{each.registered_id}</span> : each.name}</Fragment>)}
                                </Link>
                                <span className="quiet" style={{ display: 'flex', gap: 6, alignItems: 'center', fontSize: 13 }}>{t('dlt.chain.hash')} <Code text={chain.hash} isShort /></span>
                            </span>
                            <RegistryState state={chain.state} />
                        </li>
                    ))}
                </ul>
            )}
        </section>
    );
}
