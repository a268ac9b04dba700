import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import { Copy, Problem, RowsSkeleton, When } from '@/components/basics';
import { say } from '@/components/undo';
import { meQuery } from '@/features/sign-in/queries';
import { useT } from '@/i18n/i18n';
import { Section } from './Section';
import type { components } from '@generated/schema';

type Person = components['schemas']['Person'];
type Pending = components['schemas']['PendingEmail'];

export function Profile() {
    const t = useT();
    const me = useQuery(meQuery);
    return (
        <Section id="profile" title={t('profile.title')} text={t('profile.text')}>
            {me.isPending ? <RowsSkeleton count={2} /> : me.isError ? <Problem error={me.error} retry={() => { void me.refetch(); }} />
                : <div className="card card-pad stack"><Name key={me.data.name} name={me.data.name} /><Email person={me.data} /></div>}
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

function Email({ person }: { person: Person }) {
    const t = useT();
    const client = useQueryClient();
    const [isAsking, setAsking] = useState(false);
    const drop = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/me/email')),
        onSettled: () => client.invalidateQueries({ queryKey: keys.me.person }),
    });
    const pending = person.pending_email;
    return (
        <div className="stack" style={{ gap: 8 }}>
            {drop.isError && <Problem error={drop.error} />}
            <div className="account-field" style={{ alignItems: 'center' }}>
                <div className="grow">
                    <div style={{ fontWeight: 500, fontSize: 13 }}>{t('email.label')}</div>
                    <div className="line"><span style={{ overflowWrap: 'anywhere' }}>{person.email ?? <span className="quiet">{t('email.none')}</span>}</span>{person.email !== null && <span className="tag" data-off={!person.is_email_verified}>{t(person.is_email_verified ? 'email.verified' : 'email.unverified')}</span>}</div>
                </div>
                <Button variant="default" onClick={() => { setAsking(true); }}>{t(person.email === null ? 'email.add' : 'email.change')}</Button>
            </div>
            {pending !== null && (
                <div className="note line" style={{ flexWrap: 'nowrap' }}>
                    <span className="grow" style={{ overflowWrap: 'anywhere' }}>{t(pending.delivery === 'mail' ? 'email.waits.mail' : 'email.waits.link', { email: pending.email })} <When at={pending.expires_at} /></span>
                    <Button variant="default" size="xs" loading={drop.isPending} onClick={() => { drop.mutate(); }} style={{ flex: 'none' }}>{t('email.drop')}</Button>
                </div>
            )}
            <Modal opened={isAsking} onClose={() => { setAsking(false); }} title={t(person.email === null ? 'email.add' : 'email.change')} closeButtonProps={{ 'aria-label': t('close') }}>
                <ChangeEmail onDone={() => { setAsking(false); }} />
            </Modal>
        </div>
    );
}

/** Where no mail is sent the link is shown here, once, to be opened in this browser. */
function ChangeEmail({ onDone }: { onDone: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [email, setEmail] = useState('');
    const [asked, setAsked] = useState<Pending | null>(null);
    const ask = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/me/email', { body: { email: email.trim() } })),
        onSuccess: async (pending) => { setAsked(pending); await client.invalidateQueries({ queryKey: keys.me.person }); },
    });
    const fault = faultsByField(ask.error)['/email'];
    if (asked !== null)
        return (
            <div className="stack">
                <p style={{ margin: 0 }} role="status">{t(asked.link === undefined ? 'email.sent' : 'email.link', { email: asked.email })}</p>
                {asked.link !== undefined && <div className="pre" style={{ display: 'flex', gap: 8, alignItems: 'center' }}><a href={asked.link} className="grow">{asked.link}</a><Copy text={asked.link} /></div>}
                <Button onClick={onDone} data-autofocus>{t('done')}</Button>
            </div>
        );
    return (
        <form className="stack" noValidate onSubmit={(event) => { event.preventDefault(); if (email.trim() !== '') ask.mutate(); }}>
            <p style={{ margin: 0 }}>{t('email.text')}</p>
            {ask.error !== null && fault === undefined && <Problem error={ask.error} />}
            <TextInput label={t('email.new')} type="email" autoComplete="email" value={email} onChange={(event) => { setEmail(event.currentTarget.value); }} maxLength={254} error={fault === undefined ? undefined : t('email.bad')} data-autofocus />
            <Button type="submit" loading={ask.isPending} disabled={email.trim() === ''}>{t('email.ask')}</Button>
        </form>
    );
}
