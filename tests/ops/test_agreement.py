"""Every owner computes what the reference computes, on every sample."""

import torch


def test_float64_agrees_to_rounding(kernel, reference, operator, sample, gradients):
    output, found = gradients(kernel, operator, sample)
    expected, expected_found = gradients(reference, operator, sample)
    assert output.dtype == torch.float64 and output.shape == expected.shape
    torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-12)
    for got, want in zip(found, expected_found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


def test_float32_is_close(kernel, reference, operator, sample, gradients):
    narrow = sample.with_tensors(torch.Tensor.float)
    output, found = gradients(kernel, operator, narrow)
    expected, expected_found = gradients(
        reference, operator, narrow.with_tensors(torch.Tensor.double)
    )
    assert output.dtype == torch.float32
    assert all(g.dtype == torch.float32 for g in found)
    torch.testing.assert_close(output.double(), expected, rtol=1e-4, atol=1e-5)
    for got, want in zip(found, expected_found, strict=True):
        torch.testing.assert_close(got.double(), want, rtol=1e-3, atol=1e-3)


def test_without_gradient_the_same(owner, operator, sample):
    with torch.no_grad():
        plain = owner(operator, sample)
    tracked = owner(operator, sample.with_tensors(lambda t: t.clone().requires_grad_()))
    assert tracked.requires_grad and not plain.requires_grad
    assert torch.equal(plain, tracked.detach())
