import { Button, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Problem, RowsSkeleton } from '@/components/basics';
import { addressOf } from '@/features/consent/filter';
import { Person } from '@/features/consent/Person';
import { useT } from '@/i18n/i18n';

/** One number: what holds, and how it came to be. It goes in a body, never in an address. */
export default function ConsentLookUp() {
    const t = useT();
    const client = useQueryClient();
    const [wanted] = useState(() => client.getQueryData<string>(keys.consents.wanted) ?? '');
    const [typed, setTyped] = useState(wanted);
    const [address, setAddress] = useState(wanted);
    const [isFault, setFault] = useState(false);
    useEffect(() => { client.removeQueries({ queryKey: keys.consents.wanted }); }, [client]);
    const person = useQuery({ queryKey: keys.consents.person(address), enabled: address !== '', gcTime: 0, queryFn: () => unwrap(api.POST('/v1/consents/lookup', { body: { address } })) });
    return (
        <div className="stack" style={{ gap: 24, maxWidth: 880 }}>
            <form className="stack" style={{ maxWidth: 640, gap: 12 }} noValidate onSubmit={(event) => { event.preventDefault(); const next = addressOf(typed); setFault(next === null); if (next !== null) { setAddress(next); if (next === address) void person.refetch(); } }}>
                <p className="quiet" style={{ margin: 0 }}>{t('consent.look_up.text')}</p>
                <div className="account-field" style={{ alignItems: 'flex-start' }}>
                    <TextInput className="grow" aria-label={t('consent.number')} placeholder={t('consent.number.help')} type="tel" autoComplete="off" value={typed} error={isFault ? t('consent.number.fault') : undefined} onChange={(event) => { setTyped(event.currentTarget.value); setFault(false); }} />
                    <Button type="submit" disabled={typed.trim() === ''} loading={person.isFetching}>{t('consent.look_up.do')}</Button>
                </div>
            </form>
            {address === '' ? null : person.isPending ? <RowsSkeleton count={4} /> : person.isError ? <Problem error={person.error} retry={() => { void person.refetch(); }} /> : <Person key={address} person={person.data} address={address} />}
        </div>
    );
}
