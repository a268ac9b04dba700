import { Button, CloseButton, Menu, Popover, TextInput, UnstyledButton } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { useT } from '@/i18n/i18n';

interface ChoiceProps {
    title: string;
    value: string[];
    options: { value: string; label: ReactNode }[];
    onChange: (value: string[]) => void;
    isMultiple?: boolean;
}

/** A filter of given words, as a chip that says what it holds. */
export function ChoiceFilter({ title, value, options, onChange, isMultiple = false }: ChoiceProps) {
    const t = useT();
    const isOn = value.length !== 0;
    const picked = options.filter((option) => value.includes(option.value));
    return (
        <Menu position="bottom-start">
            <Menu.Target>
                <UnstyledButton className="chip" data-on={isOn}>
                    {!isOn && <IconPlus size={13} aria-hidden />}
                    <span className="cut">{title}{isOn && <>: {picked.length === 1 ? picked[0]?.label : t('filter.count', { count: value.length })}</>}</span>
                </UnstyledButton>
            </Menu.Target>
            <Menu.Dropdown mah={340} style={{ overflowY: 'auto' }}>
                {options.map((option) => {
                    const isPicked = value.includes(option.value);
                    return isMultiple
                        ? <Menu.CheckboxItem key={option.value} checked={isPicked} onChange={(isOn) => { onChange(isOn ? [...value, option.value] : value.filter((v) => v !== option.value)); }}>{option.label}</Menu.CheckboxItem>
                        : <Menu.RadioItem key={option.value} value={option.value} checked={isPicked} closeMenuOnClick onChange={() => { onChange([option.value]); }}>{option.label}</Menu.RadioItem>;
                })}
                {isOn && <><Menu.Divider /><Menu.Item onClick={() => { onChange([]); }}>{t('filter.clear')}</Menu.Item></>}
            </Menu.Dropdown>
        </Menu>
    );
}

export function TextFilter({ title, value, help, type = 'text', onChange }: { title: string; value: string; help?: string; type?: 'text' | 'datetime-local'; onChange: (value: string) => void }) {
    const t = useT();
    const [isOpen, setOpen] = useState(false);
    const [text, setText] = useState(value);
    return (
        <Popover opened={isOpen} onChange={setOpen} position="bottom-start" shadow="md" trapFocus returnFocus>
            <Popover.Target>
                <UnstyledButton className="chip" data-on={value !== ''} aria-haspopup="dialog" aria-expanded={isOpen} onClick={() => { setText(value); setOpen(!isOpen); }}>
                    {value === '' && <IconPlus size={13} aria-hidden />}
                    <span className="cut">{title}{value !== '' && `: ${value.replace('T', ' ')}`}</span>
                </UnstyledButton>
            </Popover.Target>
            <Popover.Dropdown aria-label={title}>
                <form onSubmit={(event) => { event.preventDefault(); onChange(text.trim()); setOpen(false); }} style={{ width: 260 }}>
                    <TextInput label={title} description={help} type={type} value={text} onChange={(event) => { setText(event.currentTarget.value); }} data-autofocus
                        rightSection={text !== '' && <CloseButton size="sm" aria-label={t('filter.clear')} onClick={() => { setText(''); onChange(''); setOpen(false); }} />} />
                    <Button type="submit" size="xs" mt={12} fullWidth>{t('filter.apply')}</Button>
                </form>
            </Popover.Dropdown>
        </Popover>
    );
}

export function FilterBar({ isOn, onClear, children }: { isOn: boolean; onClear: () => void; children: ReactNode }) {
    const t = useT();
    return <div className="chips" role="group" aria-label={t('filter.label')}>{children}{isOn && <Button variant="subtle" color="gray" size="compact-sm" onClick={onClear}>{t('filter.clear_all')}</Button>}</div>;
}
