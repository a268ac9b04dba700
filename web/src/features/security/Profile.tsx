import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Problem, RowsSkeleton } from '@/components/basics';
import { say } from '@/components/undo';
import { meQuery } from '@/features/sign-in/queries';
import { useT } from '@/i18n/i18n';
import { Section } from './Section';

export function Profile() {
    const t = useT();
    const me = useQuery(meQuery);
    return (
        <Section id="profile" title={t('profile.title')} text={t('profile.text')}>
            {me.isPending ? <RowsSkeleton count={2} /> : me.isError ? <Problem error={me.error} retry={() => { void me.refetch(); }} />
                : <div className="card card-pad stack"><Name key={me.data.name} name={me.data.name} /></div>}
        </Section>
    );
}

function Name({ name }: { name: string }) {
    const t = useT();
    const client = useQueryClient();
    const [typed, setTyped] = useState(name);
    const save = useMutation({
        mutationFn: () => unwrap(api.PATCH('/v1/me', { body: { name: typed.trim() } })),
        onSuccess: async (person) => {
            client.setQueryData(keys.me.person, person);
            say(t('settings.saved'));
            await client.invalidateQueries({ queryKey: keys.session });
        },
    });
    const isChanged = typed.trim() !== '' && typed.trim() !== name;
    return (
        <form onSubmit={(event) => { event.preventDefault(); if (isChanged) save.mutate(); }}>
            {save.isError && <Problem error={save.error} />}
            <div className="account-field">
                <TextInput className="grow" label={t('enrol.name')} description={t('enrol.name.help')} autoComplete="name" value={typed} onChange={(event) => { setTyped(event.currentTarget.value); }} maxLength={100} />
                <Button type="submit" variant="default" disabled={!isChanged} loading={save.isPending}>{t('save')}</Button>
            </div>
        </form>
    );
}
