import { Button, Menu, Modal, TextInput, UnstyledButton } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { IconBookmark, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useT } from '@/i18n/i18n';
import { sayWithUndo } from './undo';
import { isSameSearch, readViews, viewsKey, withView, type View } from './views';

interface Props<Search extends object> {
    place: string;
    workspace: string | undefined;
    search: Search;
    /** Such as come with the place. */
    given?: { name: string; search: Search }[];
    /** Reads what was kept as the place reads an address: it may be of an older day. */
    read: (search: Record<string, unknown>) => Search;
    onApply: (search: Search) => void;
}

/** Filters by a name: those that are kept, and the present ones to be kept. */
export function SavedViews<Search extends object>({ place, workspace, search, given = [], read, onApply }: Props<Search>) {
    const t = useT();
    const [views, setViews] = useLocalStorage<View[]>({ key: viewsKey(place, workspace), defaultValue: [], getInitialValueInEffect: false, serialize: JSON.stringify, deserialize: (text) => readViews(text ?? null) });
    const [isNaming, setNaming] = useState(false);
    const [name, setName] = useState('');
    const own = views.map((view) => ({ name: view.name, search: read({ ...view.search }) }));
    const current = own.find((view) => isSameSearch(view.search, search));
    const shown = current ?? given.find((view) => isSameSearch(view.search, search));
    const isFiltered = Object.keys(search).length !== 0;
    const close = () => { setNaming(false); setName(''); };
    return (
        <>
            <Menu position="bottom-start" width={240}>
                <Menu.Target>
                    <UnstyledButton className="chip chip-view" data-on={shown !== undefined}><IconBookmark size={14} aria-hidden /><span className="cut">{shown?.name ?? t('views')}</span></UnstyledButton>
                </Menu.Target>
                <Menu.Dropdown mah={340} style={{ overflowY: 'auto' }}>
                    {[...given, ...own].map((view, i) => (
                        <Menu.RadioItem key={`${i < given.length ? 'given' : 'own'}-${view.name}`} value={view.name} checked={view === shown} closeMenuOnClick onChange={() => { onApply(view.search); }}>
                            <span className="cut" style={{ display: 'block' }}>{view.name}</span>
                        </Menu.RadioItem>
                    ))}
                    {given.length + own.length > 0 && <Menu.Divider />}
                    <Menu.Item disabled={!isFiltered || current !== undefined} onClick={() => { setNaming(true); }}>{t('views.save')}</Menu.Item>
                    {current !== undefined && (
                        <Menu.Item leftSection={<IconTrash size={15} aria-hidden />} onClick={() => {
                            setViews(views.filter((view) => view.name !== current.name));
                            sayWithUndo(t('views.removed', { name: current.name }), t('undo'), () => { setViews((now) => withView(now, current)); });
                        }}>{t('views.remove', { name: current.name })}</Menu.Item>
                    )}
                </Menu.Dropdown>
            </Menu>
            <Modal opened={isNaming} onClose={close} title={t('views.save')} closeButtonProps={{ 'aria-label': t('close') }}>
                <form className="stack" onSubmit={(event) => { event.preventDefault(); if (name.trim() === '') return; setViews((now) => withView(now, { name, search })); close(); }}>
                    <TextInput label={t('keys.name')} description={t('views.help')} maxLength={40} value={name} onChange={(event) => { setName(event.currentTarget.value); }} data-autofocus />
                    <Button type="submit" disabled={name.trim() === ''}>{t('save')}</Button>
                </form>
            </Modal>
        </>
    );
}
