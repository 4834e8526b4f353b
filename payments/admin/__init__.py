from payments.admin import invoices, payouts

__all__ = ["invoices", "payouts"]
