import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconBan, IconUserQuestion } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Consent, ConsentPerson } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ConfirmByName } from '@/components/secrets';
import { StatusBadge, StatusIcon } from '@/components/status';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { Address, By, Kind, Purpose } from './Pieces';
import { SuppressionEnd } from './SuppressionEnd';

function Erase({ address }: { address: string }) {
    const t = useT();
    const client = useQueryClient();
    const [isOpen, setOpen] = useState(false);
    const erase = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/consents/erase', { body: { address } })),
        onSuccess: ({ erased }) => { setOpen(false); say(t('consent.erased', { count: erased })); return client.invalidateQueries({ queryKey: keys.consents.all }); },
    });
    return (
        <>
            <div><Button variant="default" size="xs" style={{ color: 'var(--st-red)' }} onClick={() => { setOpen(true); }}>{t('consent.erase')}</Button></div>
            <ConfirmByName isOpen={isOpen} title={t('consent.erase')} text={t('consent.erase.text')} name={address} act={t('consent.erase')} isBusy={erase.isPending} onClose={() => { setOpen(false); }} onConfirm={() => { erase.mutate(); }}>
                {erase.isError && <Problem error={erase.error} />}
            </ConfirmByName>
        </>
    );
}

/** What holds for somebody, whom never to write to, and how it came to be. */
export function Person({ person, address }: { person: ConsentPerson; address: string }) {
    const t = useT();
    const may = useMay();
    const { states, suppressions, history } = person;
    const columns: Column<Consent>[] = [
        { id: 'state', title: t('consent.state'), cell: (entry) => <Link to="/consent/ledger/$consentId" params={{ consentId: entry.id }} className="row-link"><StatusBadge state={entry.state} /></Link> },
        { id: 'purpose', title: t('consent.for'), cell: (entry) => <Purpose of={entry.purpose} /> },
        { id: 'channel', title: t('consent.channel'), cell: (entry) => <Kind of={entry.channel} />, isMinor: true },
        { id: 'source', title: t('consent.source'), cell: (entry) => t(`consent.source.${entry.source}`), isMinor: true },
        { id: 'by', title: t('consent.recorded_by'), cell: (entry) => <By by={entry.recorded_by} />, isMinor: true },
        { id: 'at', title: t('consent.at'), cell: (entry) => <When at={entry.at} />, isEnd: true },
    ];
    return (
        <section className="stack" style={{ gap: 24 }} aria-labelledby="person">
            <div className="line"><h2 id="person" style={{ margin: 0 }}>{t('consent.person')}</h2><Address address={person.address} /></div>
            {suppressions.length !== 0 && (
                <ul className="card rows">
                    {suppressions.map((row) => (
                        <li key={row.id} style={{ flexWrap: 'wrap' }}>
                            <IconBan size={18} aria-hidden style={{ color: 'var(--st-violet)', flex: 'none' }} />
                            <span className="grow" style={{ flexBasis: 200 }}>
                                <span style={{ display: 'block', fontWeight: 540 }}>{t(row.scope === 'all' ? 'consent.person.suppressed' : 'consent.person.suppressed.promotional')}</span>
                                <span className="quiet" style={{ fontSize: 13 }}><Kind of={row.channel} /> · {t(`consent.suppression.reason.${row.reason}`)} · <When at={row.at} /></span>
                            </span>
                            <SuppressionEnd row={row} />
                        </li>
                    ))}
                </ul>
            )}
            {states.length === 0 ? <EmptyState icon={IconUserQuestion} title={t('consent.person.none')} text={t('consent.person.none.text')} />
                : (
                    <ul className="card rows">
                        {states.map((state) => (
                            <li key={`${state.channel} ${state.purpose}`}>
                                <StatusIcon state={state.state} />
                                <span className="grow">
                                    <span style={{ display: 'block', fontWeight: 540 }}><Purpose of={state.purpose} /> · <Kind of={state.channel} /></span>
                                    <span className="quiet" style={{ fontSize: 13 }}><When at={state.at} /></span>
                                </span>
                                <Link to="/consent/ledger/$consentId" params={{ consentId: state.consent_id }} className="row-link"><StatusBadge state={state.state} /></Link>
                            </li>
                        ))}
                    </ul>
                )}
            {history.length !== 0 && (
                <div>
                    <h3 style={{ margin: '0 0 8px' }}>{t('consent.person.history')}</h3>
                    <DataTable name="consent-history" label={t('consent.person.history')} columns={columns} rows={history} rowId={(entry) => entry.id} foot={t('consent.person.history.all', { count: history.length })} />
                </div>
            )}
            {may('consents:manage') && (states.length !== 0 || suppressions.length !== 0) && <Erase address={address} />}
        </section>
    );
}
