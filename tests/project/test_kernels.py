"""The arithmetic of `benchmarks.kernels`: the shares of kernels that overlap add up to the wall time."""

import pytest

from benchmarks.kernels import IDLE, kind_of, shares, table


def test_kernels_that_run_at_once_share_the_time():
    # 0 to 10 a alone; 10 to 20 a and b; 20 to 30 b twice; then a gap; 40 to 50 a.
    spans = [("a", 0.0, 20.0), ("b", 10.0, 30.0), ("b", 20.0, 30.0), ("a", 40.0, 50.0)]
    assert shares(spans) == pytest.approx({"a": 10 + 5 + 10, "b": 5 + 10})


def test_the_table_adds_up_to_the_wall_time():
    spans = [("fprop", 0.0, 20.0), ("normalize_kernel", 10.0, 30.0), ("fprop", 40.0, 50.0)]
    rows = table(spans, wall_us=60.0, steps=2)
    assert [kernel for _, kernel, _ in rows] == ["fprop", "normalize_kernel", IDLE]
    assert [cost.share for _, _, cost in rows] == pytest.approx([12.5, 7.5, 10.0])
    assert [cost.launches for _, _, cost in rows] == pytest.approx([1.0, 0.5, 0.0])
    assert rows[0][2].duration == pytest.approx(15.0)


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("input_gradient_kernel", "batch norm, ReLU, residuals"),
        ("gradient_kernel", "convolutions: weight gradients"),
        ("sm90_xmma_dgrad_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc", "convolutions: input gradients"),
        ("sm90_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc", "convolutions: forward"),
        ("void cask_plugin__5x_cudnn::xmma__5x_cudnn::init_device_workspace_kernel<…>", "workspaces and zeros"),
        ("Memset (Device)", "workspaces and zeros"),
        ("void at::native::multi_tensor_apply_kernel<…, at::native::Copy<…>>", "casts and copies"),
        ("void at::native::multi_tensor_apply_kernel<…, FusedSgdMathFunctor<…>>", "optimizers"),
        ("symmetric_kernel", "optimizers"),
        ("void gemvNSP_kernel<…>", "classifier and loss"),
        ("something_else", "other"),
    ],
)
def test_the_kind_of_a_kernel(kernel, kind):
    assert kind_of(kernel) == kind
