/** A password, hidden until asked. */
import { PasswordInput } from '@mantine/core';
import { useWords } from '@/words/words';

interface Props {
  value: string;
  change: (value: string) => void;
  autoComplete: 'current-password' | 'new-password';
  description?: string;
  error?: string | undefined;
}

export function PasswordField({ value, change, ...rest }: Props) {
  const { t } = useWords();
  return (
    <PasswordInput
      {...rest}
      label={t('entry.password')}
      value={value}
      onChange={(event) => change(event.currentTarget.value)}
      visibilityToggleButtonProps={{ 'aria-label': t('entry.showPassword') }}
      styles={{ visibilityToggle: { width: 40, height: 40 } }}
      rightSectionWidth={44}
      withAsterisk={false}
      required
    />
  );
}
