import { Button, Checkbox, Input, Select, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import type { Scope } from '@/api/types';
import { Page, Problem } from '@/components/basics';
import { CodeTabs } from '@/components/CodeTabs';
import { SecretOnce } from '@/components/secrets';
import { useSession } from '@/app/session';
import { CidrEditor } from '@/features/keys/CidrEditor';
import { scopeWords } from '@/features/keys/scopes';
import { useT } from '@/i18n/i18n';

const days = ['30', '90', '365'] as const;

export default function ApiKeyNew() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const { permissions } = useSession();
    const [name, setName] = useState('');
    const [mode, setMode] = useState<'live' | 'test'>('live');
    const [scopes, setScopes] = useState<string[]>(['messages:send', 'messages:read']);
    const [cidrs, setCidrs] = useState<string[]>([]);
    const [expiry, setExpiry] = useState<string>('90');
    const [asked, setAsked] = useState(false);
    const create = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/api-keys', { body: {
            name: name.trim(), mode, scopes: scopes as Scope[], ...(cidrs.length === 0 ? {} : { allowed_cidrs: cidrs }),
            ...(expiry === 'never' ? {} : { expires_at: new Date(Date.now() + Number(expiry) * 86_400_000).toISOString() }),
        } })),
        onSuccess: () => client.invalidateQueries({ queryKey: keys.apiKeys.all }),
    });
    const faults = faultsByField(create.error);
    const secret = create.data?.key ?? null;
    const nameFault = asked && name.trim() === '' ? t('keys.name.missing') : faults['/name'];
    const scopeFault = asked && scopes.length === 0 ? t('keys.scopes.missing') : faults['/scopes'];
    return (
        <Page title={t('keys.create')} purpose={t('keys.create.purpose')} back={{ to: '/api-keys', word: t('nav.keys') }}>
            <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (name.trim() !== '' && scopes.length !== 0) create.mutate(); }}>
                {create.isError && <Problem error={create.error} />}
                <TextInput label={t('keys.name')} description={t('keys.name.help')} value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={nameFault} maxLength={80} required withAsterisk={false} />
                <Select label={t('keys.mode')} description={t('keys.mode.help')} allowDeselect={false} value={mode} onChange={(value) => { setMode(value === 'test' ? 'test' : 'live'); }} data={[{ value: 'live', label: t('keys.mode.live') }, { value: 'test', label: t('keys.mode.test') }]} />
                <Checkbox.Group label={t('keys.scopes')} description={t('keys.scopes.help')} value={scopes} onChange={setScopes} error={scopeFault}>
                    <div className="choices" style={{ marginTop: 12 }}>
                        {Object.entries(scopeWords).map(([scope, word]) => {
                            const isMine = (permissions as string[]).includes(scope);
                            return <Checkbox key={scope} value={scope} disabled={!isMine} label={t(word)} description={isMine ? <span className="mono" style={{ fontSize: 11.5 }}>{scope}</span> : t('keys.scopes.not_yours')} />;
                        })}
                    </div>
                </Checkbox.Group>
                <CidrEditor value={cidrs} onChange={setCidrs} error={faults['/allowed_cidrs']} />
                <Select label={t('keys.expires')} description={t('keys.expires.help')} allowDeselect={false} value={expiry} onChange={(value) => { setExpiry(value ?? '90'); }} data={[...days.map((each) => ({ value: each, label: t('keys.expires.days', { count: Number(each) }) })), { value: 'never', label: t('keys.expires.never') }]} />
                <Input.Wrapper><div className="line"><Button type="submit" loading={create.isPending}>{t('keys.create')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/api-keys' }); }}>{t('cancel')}</Button></div></Input.Wrapper>
            </form>
            <SecretOnce title={t('keys.made')} text={t('keys.made.text')} secret={secret} onDone={() => { create.reset(); void navigate({ to: '/api-keys' }); }}>
                {secret !== null && <CodeTabs method="GET" path="/v1/messages?limit=5" bearer={secret} />}
            </SecretOnce>
        </Page>
    );
}
