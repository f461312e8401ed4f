import { describe, expect, it } from 'vitest';
import { checkImages } from './images.ts';
import { lines, NOW, podOf, snapshotOf, warn } from './objects.suite.ts';

const waiting = (reason: string, message: string) => ({ ready: false, state: { waiting: { reason, message } } });

describe('images', () => {
  it('names image, container and the reason of the registry, once per Deployment', () => {
    const pods = [
      podOf('web', 'a', waiting('ImagePullBackOff', 'Back-off pulling image')),
      podOf('web', 'b', waiting('ErrImagePull', 'not found')),
    ];
    const event = warn('Pod', 'web-abc-a', 'Failed', 'Failed to pull image "example.com/web:1": not found');
    const found = checkImages(snapshotOf(pods, [event]), NOW);
    expect(lines(found)).toEqual([
      'critical deployment/web ImagePullBackOff: image example.com/web:1 of container main cannot be pulled in 2 of 2 pods',
    ]);
    expect(found[0]?.evidence).toEqual(['Failed to pull image "example.com/web:1": not found']);
  });

  it('falls back to the message of the container', () => {
    const [found] = checkImages(snapshotOf([podOf('web', 'a', waiting('InvalidImageName', 'couldn\'t parse image name "WEB"'))]), NOW);
    expect(found).toMatchObject({ reason: 'InvalidImageName', evidence: ['couldn\'t parse image name "WEB"'] });
  });

  it('finds nothing while a container is created', () => {
    expect(checkImages(snapshotOf([podOf('web', 'a', waiting('ContainerCreating', ''))]), NOW)).toEqual([]);
  });
});
