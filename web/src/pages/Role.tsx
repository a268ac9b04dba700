import { Button, TextInput, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconCopyPlus, IconTrash } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError, faultsByField } from '@/api/problem';
import type { Role as RoleOf, Scope } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem, RowsSkeleton } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { Sheet } from '@/components/Sheet';
import { say } from '@/components/undo';
import { covers, differences } from '@/features/team/authority';
import { PermissionChoices, PermissionList } from '@/features/team/Permissions';
import { rolesQuery } from '@/features/team/queries';
import { useAuthority, useRoleName, useRolePurpose } from '@/features/team/roles';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/team/roles/$roleId');

/** A built-in role, to be read; one of the workspace's own, to be changed; or "new", which may begin as another. */
export default function Role() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const { roleId } = route.useParams();
    const { from } = route.useSearch();
    const roles = useQuery(rolesQuery);
    const close = () => { void navigate({ to: '/team/roles', resetScroll: false }); };
    const role = roles.data?.find((each) => each.id === roleId);
    if (roles.data === undefined || (role === undefined && roleId !== 'new'))
        return <Sheet title={t('team.role')} label={t('team.role')} onClose={close}>{roles.isPending ? <RowsSkeleton count={3} /> : <Problem error={roles.error ?? new ApiError(404, null, null)} />}</Sheet>;
    if (role?.is_built_in === true || (role !== undefined && !may('roles:manage')))
        return <Shown role={role} onClose={close} />;
    return <Form key={`${roleId} ${role?.updated_at ?? ''}`} role={role ?? null} from={roles.data.find((each) => each.id === from) ?? null} onClose={close} />;
}

function CopyButton({ role }: { role: RoleOf }) {
    const t = useT();
    const navigate = useNavigate();
    return <Button variant="default" leftSection={<IconCopyPlus size={16} />} onClick={() => { void navigate({ to: '/team/roles/$roleId', params: { roleId: 'new' }, search: { from: role.id }, resetScroll: false }); }}>{t('team.roles.copy')}</Button>;
}

function Shown({ role, onClose }: { role: RoleOf; onClose: () => void }) {
    const t = useT();
    const may = useMay();
    const roleName = useRoleName();
    const purpose = useRolePurpose();
    return (
        <Sheet title={roleName(role.name)} label={t('team.role')} onClose={onClose} foot={may('roles:manage') ? <CopyButton role={role} /> : undefined}>
            <div className="stack">
                <p style={{ margin: 0 }}>{purpose(role)} <span className="quiet">{t('team.role.members', { count: role.members })}</span></p>
                <PermissionList has={role.permissions} />
            </div>
        </Sheet>
    );
}

function Form({ role, from, onClose }: { role: RoleOf | null; from: RoleOf | null; onClose: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const authority = useAuthority();
    const [name, setName] = useState(role?.name ?? '');
    const [description, setDescription] = useState(role?.description ?? '');
    const [permissions, setPermissions] = useState<string[]>(role?.permissions ?? (from?.permissions ?? []).filter((permission) => authority.permissions.includes(permission)));
    const [asked, setAsked] = useState(false);
    const [isEnding, setEnding] = useState(false);
    const isMine = role === null || covers(authority, role);
    const changed = differences(role?.permissions ?? [], permissions);
    const isChanged = role === null || name.trim() !== role.name || description.trim() !== role.description || changed.added.length + changed.removed.length !== 0;
    const again = () => Promise.all([client.invalidateQueries({ queryKey: keys.team.all }), client.invalidateQueries({ queryKey: keys.session })]);
    const save = useMutation({
        mutationFn: () => {
            const body = { name: name.trim(), description: description.trim(), permissions: permissions as Scope[] };
            return role === null ? unwrap(api.POST('/v1/roles', { body })) : unwrap(api.PATCH('/v1/roles/{role_id}', { params: { path: { role_id: role.id } }, body }));
        },
        onSuccess: (saved) => { say(t('team.saved', { name: saved.name })); onClose(); return again(); },
    });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/roles/{role_id}', { params: { path: { role_id: role?.id ?? '' } } })), onSuccess: () => { onClose(); return again(); } });
    const faults = faultsByField(save.error);
    const nameFault = asked && name.trim() === '' ? t('keys.name.missing') : faults['/name'];
    const permissionFault = asked && permissions.length === 0 ? t('keys.scopes.missing') : faults['/permissions'];
    return (
        <Sheet title={role?.name ?? t('team.roles.create')} label={t('team.role')} onClose={() => { if (!isEnding) onClose(); }}
            foot={role === null ? undefined : <><CopyButton role={role} /><Button variant="default" leftSection={<IconTrash size={16} />} disabled={!isMine || role.members > 0} title={role.members > 0 ? t('team.roles.in_use', { count: role.members }) : undefined} style={isMine && role.members === 0 ? { color: 'var(--st-red)' } : {}} onClick={() => { setEnding(true); }}>{t('team.roles.delete')}</Button></>}>
            <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (name.trim() !== '' && permissions.length !== 0) save.mutate(); }}>
                {save.isError && <Problem error={save.error} />}
                {!isMine && <p className="note" style={{ margin: 0 }}>{t('team.beyond.role')}</p>}
                {role !== null && role.members > 0 && isMine && <p className="note" style={{ margin: 0 }}>{t('team.roles.felt', { count: role.members })}</p>}
                <TextInput label={t('team.name')} value={name} maxLength={60} disabled={!isMine} error={nameFault} onChange={(event) => { setName(event.currentTarget.value); }} required withAsterisk={false} />
                <Textarea label={t('team.role.purpose')} value={description} maxLength={300} disabled={!isMine} autosize minRows={2} onChange={(event) => { setDescription(event.currentTarget.value); }} error={faults['/description']} />
                <PermissionChoices value={permissions} onChange={setPermissions} error={permissionFault} isDisabled={!isMine} />
                {isMine && <div className="line"><Button type="submit" disabled={!isChanged} loading={save.isPending}>{t(role === null ? 'team.roles.create' : 'save')}</Button></div>}
            </form>
            {role !== null && (
                <ConfirmByName isOpen={isEnding} title={t('team.roles.delete')} text={t('team.roles.delete.text')} name={role.name} act={t('team.roles.delete')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>
                    {remove.isError && <Problem error={remove.error} />}
                </ConfirmByName>
            )}
        </Sheet>
    );
}
