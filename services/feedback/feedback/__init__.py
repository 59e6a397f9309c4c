"""The quality loop: return visits, surveys, complaints, improvement and the scorecard.

owns       surveys and scores, complaint cases, improvement actions
path       /feedback
"""
